/** Faults of plans as resources of Chaos Mesh. What has no resource has a reason. */
import { DEFAULT_BYTES_PER_SECOND, DEFAULT_DELAY_MS } from "#chaos/live/fault-rules";
import type { FaultStep, ServerStep } from "#scenarios/plan";
import { CLOCK_OFFSET_MS, type Clock, LINK_FITS, oneWayNote, SERVER_FITS } from "./fits.ts";
import {
  type Common,
  diskFull,
  type MeshResource,
  networkChaos,
  type Pair,
  type Place,
  podFailure,
  podKill,
  timeChaos,
} from "./resources.ts";

export interface Made {
  readonly resources: readonly MeshResource[];
  /** What is not as it would be at the gateway, or why there is nothing. */
  readonly notes: readonly string[];
}

/** As on the other substrates: what an orderly stop may take, seconds. */
const STOP_GRACE_S = 5;

export interface Limits {
  readonly durationMs?: number | undefined;
}

export function linkFault(step: FaultStep, place: Place, limits: Limits = {}): Made {
  const { fit, note } = LINK_FITS[step.fault];
  if (fit === "none") return { resources: [], notes: [`${step.fault}: ${note}`] };
  if (step.path !== undefined || step.times !== undefined) {
    return {
      resources: [],
      notes: [`${step.fault} of some requests: packets do not tell requests apart`],
    };
  }
  if (step.links.some((link) => !/^hs\d>hs\d$/.test(link))) {
    return { resources: [], notes: [`${step.fault}: a cluster has no auth services of ours`] };
  }
  const notes = new Set<string>();
  const resources = pairsOf(step.links).map((pair) => {
    const own = [note, pair.isBothWays ? "" : oneWayNote(step.fault)].filter((text) => text !== "");
    for (const text of own) notes.add(`${step.fault}: ${text}`);
    const common: Common = {
      place,
      name: `${step.id}-${pair.from}-${pair.to}`,
      note: own.length === 0 ? undefined : own.join("; "),
      ...limits,
    };
    return networkChaos(common, pair, actionOf(step));
  });
  return { resources, notes: [...notes] };
}

/** @param name of the resource, unique in the namespace */
export function serverFault(
  { server, action }: Pick<ServerStep, "server" | "action">,
  name: string,
  place: Place,
  limits: Limits = {},
): Made {
  if (!server.startsWith("hs")) {
    return { resources: [], notes: [`${action}: a cluster has no auth services of ours`] };
  }
  const { note } = SERVER_FITS[action];
  const common: Common = { place, name, note: note === "" ? undefined : note, ...limits };
  const notes = note === "" ? [] : [`${action}: ${note}`];
  switch (action) {
    case "kill":
      return { resources: [podKill(common, server, 0)], notes };
    case "restart":
      return { resources: [podKill(common, server, STOP_GRACE_S)], notes };
    case "restart-database":
      return { resources: [podKill(common, `${server}-postgres`, STOP_GRACE_S)], notes };
    case "stop":
    case "pause":
      return { resources: [podFailure(common, server)], notes };
    case "fill-disk":
      return { resources: [diskFull(common, server)], notes };
    case "start":
    case "resume":
    case "free-disk":
      return { resources: [], notes };
  }
}

export function clockFault(
  server: string,
  clock: Clock,
  name: string,
  place: Place,
  limits: Limits = {},
): Made {
  return {
    resources: [timeChaos({ place, name, ...limits }, server, CLOCK_OFFSET_MS[clock])],
    notes: [],
  };
}

function actionOf(step: FaultStep): Parameters<typeof networkChaos>[2] {
  if (step.fault === "delay") {
    return { action: "delay", ms: step.ms ?? DEFAULT_DELAY_MS, jitterMs: step.jitter ?? 0 };
  }
  if (step.fault === "slow-body") {
    return {
      action: "bandwidth",
      bytesPerSecond: step.bytesPerSecond ?? DEFAULT_BYTES_PER_SECOND,
    };
  }
  return { action: "partition" };
}

/** `a>b` and `b>a` are one pair, both ways. */
function pairsOf(links: readonly string[]): readonly Pair[] {
  const all = new Set(links);
  return [...all].flatMap((link) => {
    const [from = "", to = ""] = link.split(">");
    const isBothWays = all.has(`${to}>${from}`);
    return isBothWays && from > to ? [] : [{ from, to, isBothWays }];
  });
}
