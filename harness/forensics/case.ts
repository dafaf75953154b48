/** One question: why can this device not read that event? What all steps need of it is looked up once. */
import type { Entry } from "#harness/clients/crypto/client-log";
import { type DeviceName, type Evidence, type Firing, isSame } from "./evidence.ts";
import type { EventSeen, KnownDevice, SeenParcel, Transaction } from "./facts.ts";

/** An event that somebody can not read. */
export interface TheEvent {
  readonly id: string;
  readonly room: string;
  readonly sender: DeviceName | { readonly user: string; readonly device: undefined };
  readonly session: string;
  readonly index: number | undefined;
  /** Epoch milliseconds at which its server got it, as far as is known. */
  readonly at: number;
  readonly sent: EventSeen | undefined;
  readonly shown: readonly EventSeen[];
}

/** What its client's library says. */
export interface Native {
  readonly code?: string;
  readonly withheld?: string;
}

/** The sender has made something for the device. */
export interface Attempt {
  readonly at: number;
  readonly parcel: string | undefined;
  readonly withheld: string | undefined;
  /** By the sender's own log; otherwise it is taken for the session's because of when it was sent. */
  readonly isTold: boolean;
}

export interface Case {
  readonly evidence: Evidence;
  readonly event: TheEvent;
  readonly target: DeviceName;
  readonly native: Native;
  /** Of the event by the device, in order. */
  readonly reads: readonly Extract<Entry, { readonly t: "read" }>[];
  /** When it was last seen to fail. */
  readonly failedAt: number;
  /** Until the event was sent, oldest first. */
  readonly attempts: readonly Attempt[];
  /** The one that is followed. */
  readonly attempt: Attempt | undefined;
  /** When the sender last had the choice of devices before it. */
  readonly sharedAt: number;
  /** What the device has told the server of itself, oldest first. */
  readonly uploads: readonly KnownDevice[];
}

export function eventOf(evidence: Evidence, id: string): TheEvent | undefined {
  const seen = evidence.all("event").filter(({ event }) => event === id);
  const sent = seen.find(({ how }) => how === "sent");
  const shown = seen.filter(({ how }) => how === "shown");
  const told = evidence.logged.flatMap((who) =>
    evidence.told(who, "sent").filter(({ event }) => event === id),
  )[0];
  const [first] = shown;
  const any = sent ?? first;
  if (any === undefined && told === undefined) return undefined;
  const owner = sent === undefined ? undefined : evidence.owner(sent);
  const user = told?.user ?? owner?.user ?? first?.sender ?? "";
  const device = told?.device ?? owner?.device;
  return {
    id,
    room: any?.room ?? told?.room ?? "",
    sender: device === undefined ? { user, device: undefined } : { user, device },
    session: any?.session ?? told?.session ?? "",
    index: any?.index ?? told?.index,
    at: sent?.at ?? told?.at ?? first?.ts ?? first?.at ?? 0,
    sent,
    shown,
  };
}

export function caseOf(
  evidence: Evidence,
  event: TheEvent,
  target: DeviceName,
  native?: Native,
): Case {
  const reads = evidence.told(target, "read").filter((read) => read.event === event.id);
  const failed = reads.findLast(({ isReadable }) => !isReadable);
  const attempts = attemptsFor(evidence, event, target).filter(({ at }) => at <= event.at);
  return {
    evidence,
    event,
    target,
    native: native ?? {
      ...(failed?.code === undefined ? {} : { code: failed.code }),
      ...(failed?.withheld === undefined ? {} : { withheld: failed.withheld }),
    },
    reads,
    failedAt: failed?.at ?? Number.POSITIVE_INFINITY,
    attempts,
    attempt: attemptToFollow(evidence, target, attempts),
    sharedAt: shares(evidence, event).findLast(({ at }) => at <= event.at)?.at ?? event.at,
    uploads: evidence.all("upload").flatMap(({ device }) => {
      return device !== undefined && isSame(device, target) ? [device] : [];
    }),
  };
}

/** The one that came furthest; of those alike, the last. */
function attemptToFollow(
  evidence: Evidence,
  target: DeviceName,
  attempts: readonly Attempt[],
): Attempt | undefined {
  const decrypted = new Set(
    evidence
      .told(target, "took")
      .flatMap(({ parcels }) => parcels.filter(({ outcome }) => outcome === "decrypted"))
      .map(({ id }) => id),
  );
  return (
    attempts.findLast(({ parcel }) => parcel !== undefined && decrypted.has(parcel)) ??
    attempts.findLast(({ parcel }) => parcel !== undefined) ??
    attempts.at(-1)
  );
}

/** What the sender's log tells of sharing the event's session. */
export function shares(evidence: Evidence, { sender, room, session }: TheEvent) {
  if (sender.device === undefined) return [];
  const log = evidence.log(sender) ?? [];
  return log.filter((entry, at): entry is Extract<Entry, { readonly t: "shares" }> => {
    if (entry.t !== "shares" || entry.room !== room) return false;
    // An engine does not say which session its messages carry: it is the one that is used next.
    const next = log.slice(at).find((later) => later.t === "sent" && later.room === room);
    const own = entry.session ?? (next?.t === "sent" ? next.session : undefined);
    return own === session;
  });
}

function attemptsFor(evidence: Evidence, event: TheEvent, target: DeviceName): readonly Attempt[] {
  const told = shares(evidence, event).flatMap(({ at, requests }) =>
    requests.flatMap(({ targets }) =>
      targets
        .filter((one) => isSame(one, target))
        .map(({ parcel, withheld }) => ({ at, parcel, withheld, isTold: true })),
    ),
  );
  return [...told, ...seenAttempts(evidence, event, target, told.length === 0)].sort(
    (a, b) => a.at - b.at,
  );
}

/** In the trace: withheld keys name their session; parcels do not, so they count where no log tells better. */
function seenAttempts(
  evidence: Evidence,
  { sender, room, session }: TheEvent,
  target: DeviceName,
  withParcels: boolean,
): readonly Attempt[] {
  if (sender.device === undefined) return [];
  const hasLog = evidence.log(sender)?.some(({ t }) => t === "shares") === true;
  return evidence.by(sender, "to-device").flatMap(({ at, sent }) =>
    sent
      .filter(
        ({ user, device }) => user === target.user && (device === "*" || device === target.device),
      )
      .flatMap(({ parcels, withheld }): Attempt[] => {
        if (withheld !== undefined) {
          const isOurs =
            withheld.session === session ||
            (withheld.session === undefined && (withheld.room ?? room) === room);
          return isOurs ? [{ at, parcel: undefined, withheld: withheld.code, isTold: true }] : [];
        }
        if (!withParcels || hasLog) return [];
        return parcels.map((parcel) => ({ at, parcel, withheld: undefined, isTold: false }));
      }),
  );
}

/** The parcel, as the request that had it shows it. */
export function parcelOf({ evidence }: Case, id: string): SeenParcel | undefined {
  const seen = [...evidence.puts(id), ...evidence.syncsWith(id)];
  return seen.flatMap(({ parcels }) => parcels).find((parcel) => parcel.id === id);
}

/** Transactions in which it went from server to server. */
export function transactionsWith(evidence: Evidence, parcel: string): readonly Transaction[] {
  return evidence
    .all("transaction")
    .filter(({ toDevice }) =>
      toDevice.some(({ addressed }) => addressed.some(({ parcels }) => parcels.includes(parcel))),
    );
}

/** Rules that acted on what the two did, or between servers: others have their own stories. */
export function firingsOf({ evidence, event, target }: Case): readonly Firing[] {
  return evidence.firings.filter((firing) => {
    if (firing.from !== "client") return true;
    const owner = evidence.owner(firing);
    if (owner === undefined) return false;
    return (
      isSame(owner, target) ||
      (owner.user === event.sender.user && owner.device === event.sender.device)
    );
  });
}
