/** A whole deployment in one namespace, where servers find each other by the names of their services. */
import { type Manifest, namespaceManifest } from "#drivers/substrates/kubernetes/manifest";
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import { CertificateAuthority } from "#harness/gateway/ca";
import { homeserverManifests } from "./homeserver.ts";
import { type ClusterOptions, clusterOptions } from "./options.ts";

/** Names of namespaces are DNS labels. */
const MAX_LABEL = 63;

export interface ClusterDeployment {
  readonly runId: string;
  readonly namespace: string;
  /** The namespace is of this run alone, and goes with it. */
  readonly ownsNamespace: boolean;
  readonly context: string | undefined;
  readonly servers: ReadonlyMap<string, ClusterOptions>;
  /** PEM: who vouches for the servers' certificates. */
  readonly authority: string;
  readonly manifests: readonly Manifest[];
}

/** @throws HarnessError BAD_USAGE, BAD_FILE */
export async function planDeployment(
  runId: string,
  specs: ReadonlyMap<string, ServerSpec>,
  limits = { cpuCores: 0, memoryBytes: 0 },
): Promise<ClusterDeployment> {
  const servers = new Map(
    [...specs].map(([role, spec]) => [role, clusterOptions(requireImage(role, spec))]),
  );
  const given = agreed(servers, "namespace");
  const namespace = given ?? namespaceOf(runId);
  const ca = await CertificateAuthority.create(runId);
  return {
    runId,
    namespace,
    ownsNamespace: given === undefined,
    context: agreed(servers, "context"),
    servers,
    authority: ca.certificate,
    manifests: [
      ...(given === undefined ? [namespaceManifest(namespace, runId)] : []),
      ...[...servers].flatMap(([role, options]) =>
        // Others find it at `https://<role>:8448`.
        homeserverManifests({ runId, namespace, name: role, role, options, ca, limits }),
      ),
    ],
  };
}

/** Of the run's own, whatever deployments it has. */
export function namespaceOf(runId: string): string {
  return `crucible-${runId}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MAX_LABEL)
    .replace(/-+$/, "");
}

function requireImage(role: string, spec: ServerSpec): ServerSpec {
  if (spec.substrate === "kubernetes") return spec;
  throw new HarnessError("BAD_USAGE", {
    what: `${role} is ${spec.text}, which is no server in a cluster`,
    next: "write --hs kubernetes:<image>; docs/kubernetes.md tells which images",
  });
}

/** What all servers have to say the same of. */
function agreed(
  servers: ReadonlyMap<string, ClusterOptions>,
  option: "namespace" | "context",
): string | undefined {
  const said = new Set([...servers.values()].map((options) => options[option]));
  if (said.size <= 1) return [...said][0];
  throw new HarnessError("BAD_USAGE", {
    what: `servers of one deployment have several values of ${option}: ${[...said].join(", ")}`,
    next: `give each --hs the same ${option}=…`,
  });
}
