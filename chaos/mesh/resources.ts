/** Resources of Chaos Mesh (chaos-mesh.org/v1alpha1), from what they are to do to which pods. */

/** Where pods are, and how they are found there. */
export interface Place {
  readonly namespace: string;
  /** On every resource. */
  readonly labels: Readonly<Record<string, string>>;
  /** Labels of the pods of `hs1`, `hs1-postgres`, … */
  readonly podsOf: (role: string) => Readonly<Record<string, string>>;
  /** The container of a homeserver's pod, and where it keeps its data. */
  readonly container: string;
  readonly dataPathOf: (role: string) => string;
  /** Annotation for what a resource does not do as the fault would. */
  readonly noteAnnotation: string;
}

export interface MeshResource {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "NetworkChaos" | "PodChaos" | "TimeChaos" | "IOChaos";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export const API_VERSION = "chaos-mesh.org/v1alpha1";

export interface Common {
  readonly place: Place;
  /** Unique in the namespace. */
  readonly name: string;
  /** What it does not do as the fault would. */
  readonly note?: string | undefined;
  /** Ends by itself after so long; absent: when it is deleted. */
  readonly durationMs?: number | undefined;
}

/** Two servers, and whether packets are meant that go from the first to the second, or both ways. */
export interface Pair {
  readonly from: string;
  readonly to: string;
  readonly isBothWays: boolean;
}

type NetworkAction =
  | { readonly action: "partition" }
  | { readonly action: "delay"; readonly ms: number; readonly jitterMs: number }
  | { readonly action: "bandwidth"; readonly bytesPerSecond: number };

/** What the queue of a slow link holds before it loses packets, and what passes at once. */
const QUEUE_BYTES = 20 * 1024 ** 2;
const BURST_BYTES = 10_000;

export function networkChaos(common: Common, pair: Pair, what: NetworkAction): MeshResource {
  return resource("NetworkChaos", common, {
    action: what.action,
    ...selection(common.place, pair.from),
    direction: pair.isBothWays ? "both" : "to",
    target: selection(common.place, pair.to),
    ...(what.action === "delay"
      ? { delay: { latency: `${what.ms}ms`, jitter: `${what.jitterMs}ms`, correlation: "0" } }
      : {}),
    ...(what.action === "bandwidth"
      ? {
          bandwidth: {
            rate: `${what.bytesPerSecond}bps`,
            limit: QUEUE_BYTES,
            buffer: BURST_BYTES,
          },
        }
      : {}),
  });
}

/** Deletes the pod, which its StatefulSet makes anew on the same volume. */
export function podKill(common: Common, role: string, graceSeconds: number): MeshResource {
  return resource("PodChaos", common, {
    action: "pod-kill",
    ...selection(common.place, role),
    gracePeriod: graceSeconds,
  });
}

/** Puts containers that do nothing in place of the pod's, until it is deleted. */
export function podFailure(common: Common, role: string): MeshResource {
  return resource("PodChaos", common, { action: "pod-failure", ...selection(common.place, role) });
}

export function timeChaos(common: Common, role: string, offsetMs: number): MeshResource {
  return resource("TimeChaos", common, {
    ...selection(common.place, role),
    containerNames: [common.place.container],
    timeOffset: `${offsetMs}ms`,
    clockIds: ["CLOCK_REALTIME"],
  });
}

/** ENOSPC of Linux. */
const NO_SPACE = 28;

/** Whatever would make data grow fails, as on a full disk. */
export function diskFull(common: Common, role: string): MeshResource {
  return resource("IOChaos", common, {
    action: "fault",
    ...selection(common.place, role),
    containerNames: [common.place.container],
    volumePath: common.place.dataPathOf(role),
    errno: NO_SPACE,
    methods: ["write", "create", "mkdir", "symlink", "link"],
    percent: 100,
  });
}

function resource(
  kind: MeshResource["kind"],
  { place, name, note, durationMs }: Common,
  spec: Readonly<Record<string, unknown>>,
): MeshResource {
  const { namespace, labels, noteAnnotation } = place;
  return {
    apiVersion: API_VERSION,
    kind,
    metadata: {
      name,
      namespace,
      labels,
      ...(note === undefined ? {} : { annotations: { [noteAnnotation]: note } }),
    },
    spec: { ...spec, ...(durationMs === undefined ? {} : { duration: `${durationMs}ms` }) },
  };
}

function selection({ namespace, podsOf }: Place, role: string) {
  return {
    mode: "all",
    selector: { namespaces: [namespace], labelSelectors: podsOf(role) },
  };
}
