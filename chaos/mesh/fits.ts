/** Which faults of plans Chaos Mesh can make: the same, something near, or not at all, and why. */
import type { FaultKind, ServerStep } from "#scenarios/plan";

export interface Fit {
  readonly fit: "same" | "near" | "none";
  /** Kind and action, for people. */
  readonly resource?: string;
  /** What is not as it would be at the gateway; empty: nothing. */
  readonly note: string;
}

const NEEDS_REQUESTS: Fit = {
  fit: "none",
  note: "packets do not tell requests apart: only the gateway does",
};
const UNDONE_BY_TCP: Fit = {
  fit: "none",
  note: "TCP undoes to packets what the gateway does to requests",
};
const NOT_REFUSED: Fit = {
  fit: "near",
  resource: "NetworkChaos partition",
  note: "packets get lost, so that the sender waits for its time-out instead of being told at once",
};

/** Said where only one direction of a link is meant. */
export function oneWayNote(fault: FaultKind): string {
  const how = fault === "delay" ? "late" : fault === "slow-body" ? "slow" : "lost";
  return `packets of one direction are ${how}: so are answers to what the other side asks`;
}

export const LINK_FITS: Readonly<Record<FaultKind, Fit>> = {
  blackhole: { fit: "same", resource: "NetworkChaos partition", note: "" },
  disconnect: { fit: "same", resource: "NetworkChaos partition", note: "" },
  refuse: NOT_REFUSED,
  reset: NOT_REFUSED,
  delay: {
    fit: "near",
    resource: "NetworkChaos delay",
    note: "each packet is late, so that an exchange of several is late several times",
  },
  "slow-body": {
    fit: "near",
    resource: "NetworkChaos bandwidth",
    note: "all that is sent is slow, not bodies alone",
  },
  "drop-request": NEEDS_REQUESTS,
  "drop-answer": NEEDS_REQUESTS,
  status: NEEDS_REQUESTS,
  truncate: NEEDS_REQUESTS,
  "wrong-certificate": NEEDS_REQUESTS,
  "kill-caller": NEEDS_REQUESTS,
  duplicate: UNDONE_BY_TCP,
  reorder: UNDONE_BY_TCP,
};

const ENDS_ANOTHER: Fit = { fit: "same", resource: "removed", note: "" };

export const SERVER_FITS: Readonly<Record<ServerStep["action"], Fit>> = {
  kill: {
    fit: "near",
    resource: "PodChaos pod-kill, gracePeriod 0",
    note: "the StatefulSet makes the pod anew at once, on the same volume",
  },
  restart: { fit: "same", resource: "PodChaos pod-kill, gracePeriod 5", note: "" },
  stop: { fit: "same", resource: "PodChaos pod-failure", note: "" },
  pause: {
    fit: "near",
    resource: "PodChaos pod-failure",
    note: "the process ends and connections close; Chaos Mesh freezes none",
  },
  start: ENDS_ANOTHER,
  resume: ENDS_ANOTHER,
  "restart-database": {
    fit: "same",
    resource: "PodChaos pod-kill of <server>-postgres",
    note: "",
  },
  "fill-disk": { fit: "same", resource: "IOChaos fault ENOSPC", note: "" },
  "free-disk": ENDS_ANOTHER,
};

export const CLOCKS = ["clock-ahead", "clock-behind"] as const;
export type Clock = (typeof CLOCKS)[number];

/** As `clock-ahead` and `clock-behind` of deployments. */
export const CLOCK_OFFSET_MS: Readonly<Record<Clock, number>> = {
  "clock-ahead": 30_000,
  "clock-behind": -30_000,
};
export const CLOCK_FIT: Fit = { fit: "same", resource: "TimeChaos CLOCK_REALTIME", note: "" };

/** Of an operation with `ahead`. */
export const AHEAD_NOTE = "the clock of the whole server is ahead, not that of one event";
