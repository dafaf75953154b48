/** The call of a check as lanes over time: what pictures are drawn from, and `--json` shows. Times are epoch milliseconds. */
import type { CALL_NOTES } from "./call.ts";

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface CallTimeline extends Span {
  /** Servers and the services beside them, as far as the call has had to do with them. */
  readonly places: readonly PlaceLane[];
  readonly rules: readonly RuleLane[];
  /** In the order in which they came. */
  readonly members: readonly MemberLane[];
  /** Exchanges that the trace does not have whole: what was in them is missing here. */
  readonly cut: number;
}

/** A server, or a service beside one. */
export interface PlaceLane {
  readonly role: string;
  readonly name?: string;
  /** What took it away, or out of the network, until it was back. */
  readonly down: readonly (Span & { readonly what: string })[];
  /** What was done to it besides. */
  readonly acts: readonly (Span & { readonly what: string })[];
}

/** A rule at the gateway, and when it acted on exchanges that the picture knows. */
export interface RuleLane extends Span {
  readonly name: string;
  readonly acted: readonly number[];
}

/** How something that a member published came to its end; `open`: not in these records. */
export type PublishedEnd = "left" | "fired" | "expired" | "kicked" | "open";

/** What a member keeps published under one key: its membership, or another value that sticks. */
export interface Published extends Span {
  readonly kind: "member" | "legacy member" | "sticky";
  readonly type: string;
  readonly key: string;
  /** When it was sent again. */
  readonly updates: readonly number[];
  readonly end: PublishedEnd;
  /** How long it stuck since the last update; absent: it is state, which does not fade. */
  readonly stickyMs?: number;
}

/** `due`: its time has come, and nothing shows that it was sent. `waiting`: its time comes after the picture. */
export type DelayedEnd = "fired" | "sent" | "cancelled" | "due" | "waiting";

/** An event that a server is to send later. */
export interface Delayed {
  readonly id: string;
  readonly type: string;
  readonly delayMs: number;
  readonly at: number;
  /** By whom: a user's client, or the service that it was left to. */
  readonly restarts: readonly { readonly at: number; readonly by: string }[];
  /** When it is due, as of the last restart. */
  readonly due: number;
  readonly end: DelayedEnd;
  readonly endAt: number;
  /** When the server sent it once more, which it should not. */
  readonly again?: readonly number[];
  /** Left to the service then. */
  readonly delegatedAt?: number;
}

export type Heard = Exclude<(typeof CALL_NOTES)[number], "connected" | "disconnected" | "key">;

/** What a member hears of another. */
export interface Hearing {
  readonly of: string;
  readonly spans: readonly (Span & { readonly what: Heard })[];
}

/** That a key was sent, or is had, or is used by its owner. */
export interface KeyMark {
  readonly at: number;
  readonly what: "sent" | "has" | "uses";
  /** Whose key it is. */
  readonly of: string;
  readonly index: number | undefined;
  readonly digest?: string;
}

/** A ghost is a member without media, an eavesdropper has media and is no member. */
export interface Gap extends Span {
  readonly what: "ghost" | "eavesdropper";
}

export interface MemberLane {
  readonly user: string;
  /** Absent where the records do not tell. */
  readonly device?: string;
  /** Role of its server. */
  readonly server?: string;
  readonly published: readonly Published[];
  readonly delayed: readonly Delayed[];
  /** On the SFU. */
  readonly connected: readonly Span[];
  /** Tokens for the SFU that it asked for. */
  readonly tokens: readonly { readonly at: number; readonly isGiven: boolean }[];
  readonly hears: readonly Hearing[];
  readonly keys: readonly KeyMark[];
  readonly gaps: readonly Gap[];
}
