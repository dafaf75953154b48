/**
 * Records of a chaos journal: those of the replay format (docs/replay-format.md) and a few of its own, which readers of that
 * format keep and ignore. Simulated and real servers write the same ones, and checkers read nothing else.
 */
import type { ParcelRecord } from "#harness/forensics/overlay";
import type { Body as ReplayBody, StateIds } from "#harness/replay/record";
import type { RequirementId } from "#harness/requirements/ids.generated";
import type { FaultKind, OperationKind, Plan, ServerStep, Step } from "#scenarios/plan";

/** How a line of `missing` ends for two servers that have the same state. */
export const OTHER_EXTREMITIES = "have other forward extremities";

/** `unknown`: it may have happened or not; nothing was heard. */
export type OperationOutcome = "ok" | "fail" | "unknown";

/** When a state was looked at: while things went on, or around what is named. */
export type Moment = "watch" | "before-nudge" | "quiescent" | "before-restart" | "after-restart";

export type JournalBody =
  | Exclude<ReplayBody, { t: "step" | "state" }>
  /** Second record of a journal: replaying it is telling this again. */
  | { readonly t: "plan"; readonly plan: Plan }
  /** What a person is about to do, ahead of the step of the plan with this index: a part of the story like that plan. */
  | { readonly t: "by-hand"; readonly before: number; readonly steps: readonly Step[] }
  /** Who is who: by names of the plan. Comes again when a room is added. */
  | {
      readonly t: "cast";
      /** Server names by role. */
      readonly servers: Readonly<Record<string, string>>;
      /** User ids. */
      readonly users: Readonly<Record<string, string>>;
      /** Room ids. */
      readonly rooms: Readonly<Record<string, string>>;
      /** Room versions by room id. */
      readonly versions: Readonly<Record<string, string>>;
    }
  | ({
      readonly t: "step";
      readonly id: number;
      /** In words. */
      readonly name: string;
      /** Null: `unknown`. */
      readonly ok: boolean | null;
      readonly message?: string;
      /** Ids of the events that came of it, as the server told them. */
      readonly events?: readonly string[];
    } & OperationFacts)
  | {
      readonly t: "fault";
      /** Of the plan; a heal has that of what it ends. */
      readonly id: string;
      readonly kind: "netsplit" | "heal" | "stop" | "start" | "kill" | "delay" | "drop" | "custom";
      /** In words. */
      readonly name: string;
      /** Server names, sender first. */
      readonly links?: readonly (readonly [string, string])[];
      readonly servers?: readonly string[];
      readonly value?: FaultKind | ServerStep["action"];
      /** Of a heal: how often it had acted. */
      readonly fired?: number;
    }
  | {
      readonly t: "state";
      readonly room: string;
      readonly server: string;
      readonly moment: Moment;
      readonly at_event?: string;
      /** `computed`: of a simulated server. */
      readonly source: "client" | "computed";
      readonly state: StateIds;
      readonly extremities: readonly string[];
    }
  | Observation
  /** What one checker says when a convergence has been looked at. */
  | ({ readonly t: "verdict"; readonly epoch: number } & CheckerVerdict);

export interface OperationFacts {
  /** Name of the operation in the plan; of a nudge `nudge`. */
  readonly step: string;
  readonly op: OperationKind | "nudge";
  /** User id. */
  readonly by: string;
  /** Server name. */
  readonly server: string;
  readonly room?: string;
  readonly outcome: OperationOutcome;
  readonly status?: number;
  readonly errcode?: string;
  /** Milliseconds since 1970 of the request; `at` of the record is that of the answer. */
  readonly began: number;
  readonly txn?: string;
  /** Of a request that was made more than once with one transaction id: the event id of each answer that came. */
  readonly answers?: readonly string[];
}

export type Observation =
  /** GET /rooms/{room}/event/{event_id} by a user of this server. */
  | {
      readonly t: "event";
      readonly epoch: number;
      readonly server: string;
      readonly user: string;
      readonly room: string;
      readonly event_id: string;
      readonly status: number;
    }
  /** Memberships by user id, by GET /members, and users of GET /joined_members (absent: it was refused). */
  | {
      readonly t: "members";
      readonly epoch: number;
      readonly server: string;
      readonly user: string;
      readonly room: string;
      readonly members: Readonly<Record<string, string>>;
      readonly joined?: readonly string[];
    }
  /** One room of one answer of GET /sync to a user who syncs all the time. */
  | {
      readonly t: "sync";
      readonly server: string;
      readonly user: string;
      readonly room: string;
      readonly section: "join" | "invite" | "knock" | "leave";
      readonly timeline: readonly { readonly event_id: string; readonly key?: string }[];
      readonly limited: boolean;
      /** State changes, event ids by key: `state_after` where the server has it, else `state`. */
      readonly state: StateIds;
      readonly is_state_after: boolean;
    }
  /** What a client that folded all it was told believes to be the state, when everything is quiet. */
  | {
      readonly t: "view";
      readonly epoch: number;
      readonly server: string;
      readonly user: string;
      readonly room: string;
      readonly source: "sync" | "sliding-sync";
      /** Sliding sync: only the keys that were asked for. */
      readonly state: StateIds;
      readonly keys?: readonly string[];
    }
  /** A to-device message as it came; `content`: what its sender wrote to tell it by. */
  | {
      readonly t: "to-device";
      readonly server: string;
      readonly user: string;
      readonly device: string;
      readonly sender: string;
      readonly content: string;
    }
  /** Users in device_lists of an answer of GET /sync. */
  | {
      readonly t: "device-lists";
      readonly server: string;
      readonly user: string;
      readonly changed: readonly string[];
      readonly left: readonly string[];
    }
  /** A server has acknowledged that these users of another one have changed devices. */
  | {
      readonly t: "device-update";
      readonly from: string;
      readonly server: string;
      readonly users: readonly string[];
    }
  /** What came of reading an encrypted event on one device, when everything was quiet. */
  | {
      readonly t: "decryption";
      readonly epoch: number;
      readonly server: string;
      readonly user: string;
      readonly device: string;
      readonly room: string;
      readonly event_id: string;
      readonly isReadable: boolean;
      /** In the words of the device's library. */
      readonly code?: string;
      /** Why, as far as the wire and the devices' own logs tell (docs/utd-forensics.md). */
      readonly root?: string;
      /** One line of it. */
      readonly why?: string;
      /** Something between servers was stopped in the minute before it was sent. */
      readonly isInSplit?: boolean;
      /** File in the run's folder that tells all of it. */
      readonly page?: string;
    }
  /** What a user has at the auth service and at the homeserver, when everything was quiet; absent: it was not told. */
  | {
      readonly t: "sessions";
      readonly epoch: number;
      readonly server: string;
      readonly user: string;
      /** Of the homeserver's list. */
      readonly devices?: readonly string[];
      /** Devices of the auth service's sessions. */
      readonly sessions?: readonly string[];
      readonly held: readonly HeldSession[];
    }
  /** The message with the key of an event that a device could not read, and its way. */
  | ParcelRecord
  /** How a convergence went; `ms`: from the heal (nudged: from the last nudge) until it was reached, null: never. */
  | {
      readonly t: "recovery";
      readonly epoch: number;
      readonly mode: "nudged" | "silent";
      readonly ms: number | null;
      readonly limit_ms: number;
      /** From the end of the last fault. */
      readonly from_heal_ms?: number;
      /** From the last server's agreement to our notice of it, at most. */
      readonly detection_ms?: number;
      /** What was still missing, one line each; the end of one for extremities is OTHER_EXTREMITIES. */
      readonly missing: readonly string[];
    };

/** What a client has of a sign-in, and how it went when it was used. */
export interface HeldSession {
  /** Name of the operation that signed in. */
  readonly operation: string;
  readonly device: string;
  /** `leaving`: it signs out, and was not told that it has. */
  readonly state: "in" | "leaving" | "out";
  /** Status of a refresh, and its error; absent: none was made, or nothing came. */
  readonly refresh?: number;
  readonly error?: string;
  /** Status of a request with the newest token; absent: nothing came. */
  readonly whoami?: number;
}

/** `known-protocol-reset`: servers did what the algorithm says, and state was lost by it. `unknown` never counts as a pass. */
export type CheckerOutcome = "pass" | "fail" | "known-protocol-reset" | "unknown" | "skip";

export interface CheckerVerdict {
  readonly checker: string;
  readonly outcome: CheckerOutcome;
  /** How many things were looked at. */
  readonly looked: number;
  readonly findings: readonly Finding[];
  /** Why it was skipped or is unknown. */
  readonly reason?: string;
}

export interface Finding {
  /** `reported`: breaks nothing that is a server's duty (no MUST), is told, and decides nothing. */
  readonly outcome: Exclude<CheckerOutcome, "pass" | "skip"> | "reported";
  /** One line. */
  readonly what: string;
  /** What was broken; absent: nothing that is written down. */
  readonly requirement?: RequirementId;
  readonly room?: string;
  readonly servers?: readonly string[];
  readonly events?: readonly string[];
  /** `protocol`: the oracle has it too. `server`: only the server. */
  readonly matter?: "protocol" | "server";
  /** Of a reset. */
  readonly class?: "A" | "B" | "C" | "D" | "other";
}

/** `seq` rises by one and is the order of truth; `at` is in milliseconds since 1970, or of the virtual clock. */
export type JournalRecord = { readonly seq: number; readonly at: number } & JournalBody;
