/** The same images as `docker:<image>`, each a StatefulSet in a cluster: `kubernetes:<image>[,option=value…]`. */

import { hasKubeconfig } from "#drivers/substrates/kubernetes/client";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import { defineDriver } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { clusterOptions } from "./options.ts";
import { requireGateway, start } from "./start.ts";

export const complementImageInCluster = defineDriver({
  name: "complement-image-in-cluster",
  usage: ["kubernetes:<image>,gateway=<this machine's address>[,context=…]"],
  accepts: ({ substrate }) => substrate === "kubernetes",
  check: (spec) => {
    requireGateway(clusterOptions(spec), spec.text);
  },
  prepare: async (spec) => {
    // Whether there is a cluster at all; its nodes pull the image themselves.
    await Cluster.connect(clusterOptions(spec).context);
  },
  start,
  sweep: sweepCluster,
});

/** In the current context: where that was another one, `crucible kubernetes down` removes what is left. */
async function sweepCluster(isDead: (runId: string) => boolean): Promise<readonly string[]> {
  if (!hasKubeconfig()) return [];
  const removed: string[] = [];
  let cluster: Cluster;
  try {
    cluster = await Cluster.connect();
  } catch (error) {
    if (error instanceof HarnessError) return [];
    throw error;
  }
  for (const [runId, namespaces] of await cluster.runs()) {
    if (!isDead(runId)) continue;
    for (const namespace of namespaces) {
      removed.push(
        ...(await cluster.remove(runId, namespace)).map((what) => `${what} in ${namespace}`),
      );
    }
  }
  return removed;
}
