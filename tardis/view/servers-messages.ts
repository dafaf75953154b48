/** What each server had at a moment, and how events came to it, as the page is told. */

interface ServerView {
  readonly name: string;
  /** Of LoadedView.servers. */
  readonly number: number;
  readonly has: number;
  readonly missing: readonly number[];
  readonly extremities: readonly number[];
  /** By row: number of the record of its first arrival here, or -1. */
  readonly arrived: Float64Array;
}

/** What kept an event from a server. */
export interface StopView {
  readonly seq: number;
  /** Who had sent it, or was asked for it, of LoadedView.servers; -1 for others. */
  readonly from: number;
  readonly by: string;
  /** An exchange is told that was stopped; else only that nothing could pass. */
  readonly isSeen: boolean;
}

/** How one event came from its server to another one, or did not. */
export interface DeliveryView {
  readonly row: number;
  /** Of LoadedView.servers; -1 for one that is not there. */
  readonly from: number;
  readonly to: number;
  readonly madeAt: number;
  /** That time is what its sender claims. */
  readonly isClaimed: boolean;
  /** When the exchange that brought it began, where that is told. */
  readonly sentAt: number | undefined;
  /** Undefined: never. */
  readonly cameAt: number | undefined;
  readonly seq: number | undefined;
  /** From when it was made; undefined where it never came, or came with the past of the room. */
  readonly ms: number | undefined;
  readonly via: string | undefined;
  /** It was said to make servers tell each other what they have. */
  readonly isNudge: boolean;
  /** Number of the record of the first nudge that it came after. */
  readonly nudge: number | undefined;
  readonly stops: readonly StopView[];
}

/** One exchange that had a parcel, or should have. */
export interface HopView {
  /** `up` to a server, `federation` between two, `down` to a device. */
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  /** came, lost, unknown. */
  readonly outcome: string;
  readonly exchange: string;
}

/** The message with an event's room key for one device. */
export interface ParcelView {
  /** The event that needs the key. */
  readonly row: number;
  readonly seq: number;
  /** SHA-256 of its ciphertext. */
  readonly id: string;
  /** Devices, `user|device`, and their servers: of LoadedView.servers, or -1. */
  readonly from: string;
  readonly fromServer: number;
  readonly to: string;
  readonly toServer: number;
  /** Why the device can not read the event, by the taxonomy of docs/utd-forensics.md. */
  readonly root: string;
  readonly hops: readonly HopView[];
  readonly isLost: boolean;
}

/** What one server had and another one had not at the moment, of what is above the cursor. */
export interface LackView {
  /** Places in ServersView.servers. */
  readonly has: number;
  readonly lacks: number;
  readonly count: number;
  /** The newest of them, the oldest first. */
  readonly rows: readonly number[];
}

export interface ServersView {
  readonly servers: readonly ServerView[];
  /** Rows about the cursor that are told one by one, both ends included. */
  readonly range: readonly [first: number, last: number];
  /** Of those. */
  readonly deliveries: readonly DeliveryView[];
  /** Keys of those that somebody could not read. */
  readonly parcels: readonly ParcelView[];
  /** Of the first servers, where there is any. */
  readonly lacks: readonly LackView[];
  /** How many of the servers those are. */
  readonly compared: number;
}
