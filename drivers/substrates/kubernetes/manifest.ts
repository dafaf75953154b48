/** What is handed to the API of Kubernetes: plain data, whose shape the specs hold against the published schemas. */
import { registryId } from "#harness/runs/registry";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

const PREFIX = "matrix-crucible.org";

/** On everything of ours; its value is the run's id. */
export const RUN_LABEL = `${PREFIX}/run`;
/** Whose run it is: a cluster serves many machines, and only they know which of theirs are dead. */
const REGISTRY_LABEL = `${PREFIX}/registry`;
const MANAGED_BY = { "app.kubernetes.io/managed-by": "matrix-crucible" };
/** `hs1`, `hs1-postgres`, …: what faults go by. Deployments of one run each have a server of the same role. */
export const ROLE_LABEL = `${PREFIX}/role`;
/** Name of what the component has in the cluster, unique in the run: what services, sets and removal go by. */
export const INSTANCE_LABEL = "app.kubernetes.io/instance";
/** Why a resource is not quite the fault that was asked for. */
export const NOTE_ANNOTATION = `${PREFIX}/note`;

/** Of what belongs to a run. */
export function runLabels(runId: string): Record<string, string> {
  return { ...MANAGED_BY, [RUN_LABEL]: runId };
}

/** With the mark of a run that is followed here: what is left of it is removed once it is dead. */
export function swept(manifest: Manifest): Manifest {
  const { metadata } = manifest;
  const labels = { ...metadata.labels, [REGISTRY_LABEL]: registryId() };
  return { ...manifest, metadata: { ...metadata, labels } };
}

/** What finds all that has that mark. */
export function sweepSelector(): string {
  return `${REGISTRY_LABEL}=${registryId()}`;
}

/** A namespace of its own, which may be removed as a whole. */
export function namespaceManifest(name: string, runId: string): Manifest {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name,
      labels: {
        ...runLabels(runId),
        // Images write as root; more than that nothing of ours needs.
        "pod-security.kubernetes.io/enforce": "baseline",
      },
    },
  };
}

/** `Secret/hs1-files`: how people find it in a cluster. */
export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}
