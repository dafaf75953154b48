/** What happens to a client in calls, as it tells of it. Times are by the clock of its process, in milliseconds since 1970. */
import type { Secret } from "#harness/clients/crypto/crypto-client";

/** Somebody in a session, as the library has it. */
export interface Participant {
  readonly userId: string;
  readonly deviceId: string;
  readonly memberId: string;
  /** Of the event by which it is there. */
  readonly eventId: string;
  /** By which it is known to the SFU. */
  readonly identity: string;
  readonly transports: readonly unknown[];
}

/** What the library is asked for, after so many things had happened. */
export interface RosterNow {
  readonly members: readonly Participant[];
  readonly told: number;
}

/** A session: a room and a slot of it. */
interface OfSession {
  readonly roomId: string;
  readonly slotId: string;
}

interface RosterChanged extends OfSession {
  readonly what: "roster";
  readonly members: readonly Participant[];
}

/** Somebody's media key, one's own among them, is to be used from now on. */
export interface KeyChanged extends OfSession {
  readonly what: "key";
  readonly userId: string;
  readonly deviceId: string;
  readonly memberId: string;
  readonly identity: string;
  readonly index: number;
  /** Base64. */
  readonly key: Secret;
}

interface SessionChanged extends OfSession {
  readonly what: "session";
  readonly is: "started" | "ended";
}

/** Of one's own membership, in the library's words: Connecting, Connected, … */
interface StatusChanged extends OfSession {
  readonly what: "status";
  readonly status: string;
}

/** The library has given up. */
interface GaveUp extends OfSession {
  readonly what: "trouble";
  readonly text: string;
}

/** An event was sent, or was scheduled to be. Status 0: no answer came. */
export interface Sent {
  readonly what: "sent";
  readonly roomId: string;
  readonly type: string;
  /** Undefined: it is no state. */
  readonly stateKey?: string;
  readonly content: unknown;
  /** It was scheduled (MSC4140). */
  readonly delayMs?: number;
  /** It sticks (MSC4354). */
  readonly stickyMs?: number;
  readonly status: number;
  readonly eventId?: string;
  readonly delayId?: string;
}

/** Something was done about a delayed event. */
export interface Acted {
  readonly what: "acted";
  readonly delayId: string;
  readonly action: string;
  readonly status: number;
}

/** To-device events were sent, of one type to these devices. */
export interface Mailed {
  readonly what: "mailed";
  readonly type: string;
  readonly to: readonly { readonly userId: string; readonly deviceId: string }[];
  readonly status: number;
}

export type Request = Sent | Acted | Mailed;

export type Happening = { readonly atMs: number } & (
  | RosterChanged
  | KeyChanged
  | SessionChanged
  | StatusChanged
  | GaveUp
  | Request
);
