/** A deployment in a cluster as faults see it: where its pods are, and how they are found. */
import type { Place } from "#chaos/mesh/resources";
import type { ClusterDeployment } from "#drivers/complement-image/kubernetes/deployment";
import { COMPONENT } from "#drivers/complement-image/kubernetes/homeserver";
import {
  NOTE_ANNOTATION,
  ROLE_LABEL,
  RUN_LABEL,
  runLabels,
} from "#drivers/substrates/kubernetes/manifest";

const DATA_PATH = "/data";

export function placeOf({
  runId,
  namespace,
  servers,
}: Pick<ClusterDeployment, "runId" | "namespace" | "servers">): Place {
  return {
    namespace,
    labels: runLabels(runId),
    podsOf: (role) => ({ [RUN_LABEL]: runId, [ROLE_LABEL]: role }),
    container: COMPONENT,
    dataPathOf: (role) => servers.get(role)?.dataPath ?? DATA_PATH,
    noteAnnotation: NOTE_ANNOTATION,
  };
}
