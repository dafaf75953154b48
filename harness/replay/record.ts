/** Records of the replay format, version 1: one JSON object a line. See docs/replay-format.md. */
import type { JsonObject } from "#protocol/events/event";

export const REPLAY_FORMAT = "mx-replay";
export const REPLAY_SUFFIX = ".replay.ndjson";

export type Via =
  | "created"
  | "send"
  | "backfill"
  | "get_missing_events"
  | "event"
  | "state"
  | "state_ids"
  | "send_join"
  | "invite"
  | "unknown";

export type ArrivalVerdict = "accepted" | "rejected" | "soft_failed" | "outlier" | "unknown";

/** Event ids by `type|state_key`. */
export type StateIds = Readonly<Record<string, string>>;

export type Body =
  | {
      readonly t: "meta";
      readonly format: typeof REPLAY_FORMAT;
      readonly version: 1;
      readonly rooms: readonly string[];
      /** Of rooms that are all of one version. */
      readonly room_version?: string;
      /** By room id. */
      readonly room_versions?: Readonly<Record<string, string>>;
      readonly run: string;
      readonly test: string;
      readonly seed: number;
      readonly tool: string;
      /** How the check failed is not for everybody. */
      readonly sensitive?: true;
    }
  | {
      readonly t: "server";
      readonly name: string;
      readonly implementation?: string;
      readonly version?: string;
    }
  | { readonly t: "pdu"; readonly event_id: string; readonly pdu: JsonObject }
  | {
      readonly t: "arrive";
      readonly server: string;
      readonly event_id: string;
      readonly via: Via;
      readonly from?: string;
      readonly txn?: string;
      readonly verdict: ArrivalVerdict;
      readonly reason?: string;
      /** The verdict is a conclusion of ours, not a word of the server. */
      readonly deduced?: true;
    }
  | {
      readonly t: "step";
      readonly id: number;
      readonly name: string;
      readonly ok: boolean;
      readonly message?: string;
    }
  | {
      readonly t: "http";
      readonly id: string;
      readonly from: string;
      readonly to: string;
      readonly method: string;
      readonly path: string;
      readonly status?: number;
      readonly ms: number;
      /** A rule at the gateway has acted, or there was no answer. */
      readonly blocked?: true;
      readonly events: readonly string[];
    }
  | {
      readonly t: "state";
      /** Where there are several. */
      readonly room?: string;
      readonly server: string;
      readonly at_event?: string;
      /** Who was asked: as a user, Synapse's admin API, or as another server, of the state before `at_event`. */
      readonly source: "client" | "admin" | "state_ids";
      readonly state: StateIds;
      readonly extremities: readonly string[];
    }
  | { readonly t: "note"; readonly text: string; readonly event_id?: string };

/** `seq` rises by one and is the order of truth; `at` is in milliseconds since 1970 by the recorder's clock. */
export type ReplayRecord = { readonly seq: number; readonly at: number } & Body;

/** What a check knows of its rooms when it ends. */
export interface CheckEvidence {
  /** Id of the deployment in the run. */
  readonly deployment: string;
  readonly requirement: string;
  readonly title: string;
  readonly isPassed: boolean;
  readonly message?: string;
  /** Epoch milliseconds of the check's start and end. */
  readonly from: number;
  readonly to: number;
  readonly rooms: readonly RoomEvidence[];
}

export interface RoomEvidence {
  readonly roomId: string;
  readonly views: readonly RoomView[];
}

/** What users of one server see of a room. */
export interface RoomView {
  /** The server's role in the deployment. */
  readonly place: string;
  /** Oldest first, in the format of federation. */
  readonly pdus: readonly JsonObject[];
  readonly state: StateIds;
}
