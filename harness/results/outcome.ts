import type { CallRecord } from "./call.ts";

/**
 * What a check ended as. `error` is trouble of ours or of the machine and never counts against the server; `skip` says
 * that the check does not apply; `not-run` that it would have run but did not get its turn.
 */
export const OUTCOMES = [
  "pass",
  "fail",
  "error",
  "skip",
  "not-run",
  "xfail",
  "xpass",
  "flaky",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Title of the result for a rule that other checks saw broken. */
export const IN_ALL_ANSWERS = "the server keeps this rule in the answers that other checks got";

/** RFC 2119 level of a requirement. A missed MUST gates, a missed SHOULD gates only with `--strict`, a MAY never does. */
export const LEVELS = ["MUST", "SHOULD", "MAY"] as const;
export type Level = (typeof LEVELS)[number];

/** Where the authority of a requirement comes from: a normative sentence, a short argument, or what clients rely on. */
export const BASES = ["text", "derived", "practice"] as const;
export type Basis = (typeof BASES)[number];

/**
 * Whom a requirement is about: the homeserver under test, the client library by which its rules for clients are tried, or a service
 * beside the homeserver: the one that gives tokens for calls, or the SFU.
 */
export const PARTIES = ["server", "client", "rtc", "sfu"] as const;
/** All but the homeserver. */
export type OtherParty = Exclude<(typeof PARTIES)[number], "server">;

/** First line of `results.jsonl`. Everything that must be equal for two runs to be comparable. */
export interface RunHeader {
  readonly kind: "run";
  readonly harness: string;
  /** Hash over ids, levels and statements of the requirements that were known. */
  readonly requirements: string;
  readonly deployments: readonly DeploymentFacts[];
  readonly seed: number;
}

/** A deployment as results name it: `implementation@version/topology/variant`. */
export interface DeploymentFacts {
  readonly name: string;
  readonly topology: string;
  readonly servers: readonly ServerFacts[];
}

export interface ServerFacts {
  readonly role: string;
  readonly implementation: string;
  readonly version: string;
  /** Driver spec as given, for example `process:synapse@1.163.2`. */
  readonly driver: string;
  /** Kind of its auth service, for example `mas`; absent: it has none. */
  readonly auth?: string;
  /** The same of its SFU, for example `livekit`, and of its RTC authorization service. */
  readonly sfu?: string;
  readonly rtcAuth?: string;
}

/** One line a check in `results.jsonl`. */
export interface CheckResult {
  readonly kind: "check";
  readonly deployment: string;
  readonly suite: string;
  readonly requirement: string;
  readonly level: Level;
  /** Present when it judges somebody else: no homeserver passes or fails by it. */
  readonly party?: OtherParty;
  /** Title of the check, unique within its requirement. */
  readonly check: string;
  readonly outcome: Outcome;
  /** ISO 8601; absent: it has not been run, or nobody noted it. */
  readonly startedAt?: string;
  readonly durationMs: number;
  /** Why it is not a plain pass. For `skip` it begins with `unsupported: ` or `disabled: `. */
  readonly reason?: string;
}

/** A message that a device could not read, by the ids with which forensics begins. */
export interface Undecryptable {
  /** As the story calls it. */
  readonly message: string;
  readonly room: string;
  readonly event: string;
  readonly session: string;
  readonly index: number | undefined;
  readonly user: string;
  readonly device: string;
  /** As its library says, and the code of `m.room_key.withheld`. */
  readonly why: string;
  readonly withheld?: string;
  /** The story says that it has to be so. */
  readonly isExpected: boolean;
  /** Root that the story expects there, or hunts. */
  readonly hunts: string;
}

/**
 * What a failed check saw, kept apart from the result: one line a check in `evidence.jsonl` of the run directory.
 * For `sensitive` requirements it never leaves that directory unless the user discloses it.
 */
export interface Evidence {
  readonly deployment: string;
  readonly requirement: string;
  readonly check: string;
  readonly expected?: string;
  readonly actual?: string;
  readonly message: string;
  readonly stack?: string;
  /** Sequence numbers of the check's exchanges in the trace, the telling one last. */
  readonly exchanges: readonly string[];
  /** Last exchange, rendered as text (scrubbed of secrets). */
  readonly exchange?: string;
  /** Notes of the check that are no verdict: accepted deviations, things worth knowing. */
  readonly notes?: readonly string[];
  readonly undecryptable?: readonly Undecryptable[];
  /** Last log lines of the servers, when the outcome is `error`. */
  readonly logs?: readonly string[];
  /** Replay file of the check's rooms, within the run directory. */
  readonly replay?: string;
  /** Of a check about calls, also of one that passed. */
  readonly call?: CallRecord;
  /** The same as a picture, within the run directory. */
  readonly picture?: string;
}

/** Order of `results.jsonl`, stable across runs: deployment, suite, requirement, check. */
export function compareResults(left: CheckResult, right: CheckResult): number {
  return (
    compare(left.deployment, right.deployment) ||
    compare(left.suite, right.suite) ||
    compare(left.requirement, right.requirement) ||
    compare(left.check, right.check)
  );
}

/** False of trouble, and of what had no turn: another run may make it good. */
export function hasVerdict({ outcome }: Pick<CheckResult, "outcome">): boolean {
  return outcome !== "error" && outcome !== "not-run";
}

/** Title of a check without the number that `--repeat` puts behind it. */
export function titleOf({ check }: Pick<CheckResult, "check">): string {
  return check.replace(/ \(\d+\)$/, "");
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
