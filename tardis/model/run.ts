/** What was loaded, of one or several files: events with their graph, and what was recorded around them. */
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { CutFacts } from "./cut.ts";
import type { Graph } from "./graph.ts";
import type { Place, Problem } from "./problem.ts";

export interface Pdu {
  readonly eventId: string;
  /** `placeholder`: a name, as people write in scenarios, of a room version whose ids are hashes. */
  readonly idSource: "given" | "calculated" | "placeholder";
  /** What a scenario calls it, where that is not its id. */
  readonly name: string | undefined;
  /** As on the wire, unknown keys included; `event_id` only in room versions 1 and 2. */
  readonly json: JsonObject;
  readonly event: RoomEvent;
  /** Number of the record that brought it. */
  readonly seq: number;
  readonly place: Place;
}

export interface Room {
  readonly id: string;
  readonly version: RoomVersion;
}

export interface Server {
  readonly name: string;
  /** Public keys in base64 by key id, `ed25519:a_key`. */
  readonly keys: ReadonlyMap<string, string>;
  readonly implementation: string | undefined;
  readonly version: string | undefined;
}

/** Numbers of the recording: `seq` orders, `at` (milliseconds since 1970) is shown. */
interface Recorded {
  readonly seq: number;
  readonly at: number;
}

export interface Arrival extends Recorded {
  /** Of Run.servers. */
  readonly server: number;
  /** Of Run.pdus; undefined for an event that is not among them. */
  readonly row: number | undefined;
  readonly eventId: string;
  /** created, send, backfill, get_missing_events, event, state, state_ids, send_join, invite, unknown; others are kept. */
  readonly via: string;
  readonly from: string | undefined;
  /** accepted, rejected, soft_failed, outlier, unknown; others are kept. */
  readonly verdict: string;
  readonly isDeduced: boolean;
  readonly reason: string | undefined;
}

export interface Fault extends Recorded {
  /** A heal has that of what it ends. */
  readonly id: string | undefined;
  readonly kind: string;
  /** Pairs of server names, sender first. */
  readonly links: readonly (readonly [string, string])[];
  readonly servers: readonly string[];
  readonly name: string | undefined;
}

export interface Step extends Recorded {
  readonly name: string;
  /** Null: running, or nobody knows. */
  readonly isOk: boolean | null;
  readonly message: string | undefined;
  /** Event ids. */
  readonly events: readonly string[];
  /** Room ids, where it says of which it is. */
  readonly rooms: readonly string[];
  /** What a checker of a journal found, rather than what was done. */
  readonly isVerdict: boolean;
  /** Of a verdict. */
  readonly epoch: number | undefined;
}

/** What a server said, as against what we compute. */
export interface Snapshot extends Recorded {
  readonly server: number;
  /** Undefined: the only one. */
  readonly room: string | undefined;
  readonly atEvent: string | undefined;
  readonly source: string;
  /** Of a journal: why it was asked then. */
  readonly moment: string | undefined;
  /** Event ids by `type|state_key`. */
  readonly state: ReadonlyMap<string, string>;
  readonly extremities: readonly string[];
}

/** An event that others refer to and that no file has. */
export interface Gap {
  readonly eventId: string;
  /** Rows that refer to it. */
  readonly citedBy: readonly number[];
}

/** Event ids, or null for none, by `type|state_key`. */
export type ExpectedState = ReadonlyMap<string, string | null>;

/** One line of the recording; `body` as it was read, with `t`, and with or without numbers of its own. */
export interface NumberedRecord extends Recorded {
  readonly place: Place;
  readonly body: JsonObject;
}

export interface Run {
  /** Of the meta record: run, test, seed, truncated, and whatever else it says. */
  readonly meta: JsonObject;
  readonly rooms: readonly Room[];
  /** Each after those that it follows and cites; else in order of recording, or by depth, time and id without one. */
  readonly pdus: readonly Pdu[];
  readonly graph: Graph;
  readonly gaps: readonly Gap[];
  readonly servers: readonly Server[];
  readonly arrivals: readonly Arrival[];
  readonly faults: readonly Fault[];
  readonly steps: readonly Step[];
  readonly snapshots: readonly Snapshot[];
  /** All of it, in order: what is written when the run is. */
  readonly records: readonly NumberedRecord[];
  /** The state after an event where a file gives it: event ids by event id. */
  readonly givenStates: ReadonlyMap<string, readonly string[]>;
  /** What is said of events that were cut out. */
  readonly cut: CutFacts;
  /** What a file expects after an event. */
  readonly expected: ReadonlyMap<string, ExpectedState>;
  readonly problems: readonly Problem[];
}
