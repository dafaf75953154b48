/** What stories are made of, by name: operations, faults and partitions, and how to choose some of them. */
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { FAULT_KINDS, type FaultKind, type OperationKind } from "#scenarios/plan";
import { ofAuth } from "./kinds.ts";

/** How often each operation is drawn, by weight. */
export const OPERATION_WEIGHTS: Readonly<Record<OperationKind, number>> = {
  message: 30,
  state: 12,
  join: 10,
  leave: 5,
  invite: 5,
  reject: 2,
  knock: 3,
  kick: 4,
  ban: 4,
  unban: 4,
  forget: 1,
  levels: 6,
  "join-rules": 4,
  visibility: 2,
  guests: 1,
  redact: 4,
  upgrade: 1,
  alias: 1,
  "canonical-alias": 1,
  acl: 1,
  displayname: 3,
  typing: 2,
  receipt: 3,
  "to-device": 4,
  "new-device": 1,
  "upload-keys": 2,
  /** These only where devices encrypt. */
  "kill-device": 4,
  "reset-identity": 3,
  "new-backup": 6,
  "restore-backup": 7,
  /** These only where servers have auth services. */
  "sign-in": 5,
  refresh: 5,
  "sign-out": 3,
};

/** How often something is said where devices encrypt: each new session has keys that can get lost. */
export const ENCRYPTED_MESSAGE_WEIGHT = 60;

/** What happens to servers. `restart-in-split`: to one that is cut off. */
export const PROCESS_FAULTS = [
  "pause",
  "kill",
  "stop",
  "restart",
  "restart-in-split",
  "restart-database",
  "fill-disk",
] as const;
/** What clients do beside what they say, and clocks. */
export const CLIENT_TWISTS = ["twice", "abort"] as const;
const CLOCK_AHEAD = "clock-ahead";
export const TWISTS = [...CLIENT_TWISTS, CLOCK_AHEAD] as const;

/** What can be wrong with the links between a server and its auth service, both ways: `delay-auth`, … */
export const AUTH_LINK_FAULTS = [
  "drop-request",
  "drop-answer",
  "status",
  "delay",
  "kill-caller",
] as const satisfies FaultKind[];
/** What happens to an auth service: `kill-auth`, … */
export const AUTH_PROCESS_FAULTS = ["kill", "pause", "restart", "stop"] as const;
const AUTH_KINDS = [...AUTH_LINK_FAULTS, ...AUTH_PROCESS_FAULTS] as const;
const AUTH_FAULTS = AUTH_KINDS.map(ofAuth);

/** A homeserver that dies is one of the process faults. */
const LINK_FAULTS = FAULT_KINDS.filter((kind) => kind !== "kill-caller");
const FAULTS = [...LINK_FAULTS, ...PROCESS_FAULTS, ...TWISTS] as const;
export type FaultName = (typeof FAULTS)[number] | (typeof AUTH_FAULTS)[number];

/** These need more than a gateway and processes: containers, PostgreSQL, a small disk, a chosen time stamp. */
const WITH_SPECIAL_SETUP: readonly FaultName[] = [
  "disconnect",
  "restart-database",
  "fill-disk",
  CLOCK_AHEAD,
];

export const PARTITIONS = ["halves", "isolate", "one-way", "ring", "bridge", "flapping"] as const;
export type PartitionName = (typeof PARTITIONS)[number];

export const DEFAULT_FAULTS: readonly FaultName[] = FAULTS.filter(
  (name) => !WITH_SPECIAL_SETUP.includes(name),
);

const OPERATIONS = Object.keys(OPERATION_WEIGHTS) as readonly OperationKind[];

/** @throws HarnessError BAD_USAGE for a name that is not known */
export function chooseOperations(names: readonly string[] | undefined): readonly OperationKind[] {
  return choose("operation", names, OPERATIONS, OPERATIONS);
}

/**
 * @param hasAuth Servers have auth services, which have faults of their own.
 * @throws HarnessError BAD_USAGE for a name that is not known, or that needs what is not there
 */
export function chooseFaults(
  names: readonly string[] | undefined,
  hasAuth = false,
): readonly FaultName[] {
  const unable = (hasAuth ? [CLOCK_AHEAD] : AUTH_FAULTS) as readonly string[];
  const found = names?.find((name) => unable.includes(name));
  if (found !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: hasAuth
        ? `${found}: only users of an application service have a time of their own, and auth services make others`
        : `${found}: no server has an auth service`,
      next: hasAuth ? "leave out --auth and --mas" : "add --auth oidc or --mas <spec>",
    });
  }
  const able = (all: readonly FaultName[]) => all.filter((name) => !unable.includes(name));
  return choose(
    "fault",
    names,
    able([...FAULTS, ...AUTH_FAULTS]),
    able([...DEFAULT_FAULTS, ...AUTH_FAULTS]),
  );
}

/** @throws HarnessError BAD_USAGE for a name that is not known */
export function choosePartitions(names: readonly string[] | undefined): readonly PartitionName[] {
  return choose("partition", names, PARTITIONS, PARTITIONS);
}

/** `all` and `none` stand for what they say; nothing for the default. */
function choose<Name extends string>(
  what: string,
  names: readonly string[] | undefined,
  known: readonly Name[],
  byDefault: readonly Name[],
): readonly Name[] {
  if (names === undefined) return byDefault;
  if (names.length === 1 && names[0] === "all") return known;
  if (names.length === 1 && names[0] === "none") return [];
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `there is no ${what} ${unknown}`,
      facts: [`known ones: ${known.join(", ")}`],
      next: didYouMean(unknown, [...known, "all", "none"]),
    });
  }
  return known.filter((name) => names.includes(name));
}
