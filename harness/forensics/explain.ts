/** From an event that a device can not read back to the message that got lost: ten steps, the first bad one is the verdict. */
import { HarnessError } from "#harness/errors";
import { type Case, caseOf, eventOf, firingsOf, type Native } from "./case.ts";
import { type DeviceName, type Evidence, isSame, keyOf } from "./evidence.ts";
import { type Judged, skipped } from "./judged.ts";
import { type Hop, hopsOf } from "./path.ts";
import { type ProductCause, productCause, type Root } from "./roots.ts";
import { delivered } from "./steps/delivered.ts";
import { entitled } from "./steps/entitled.ts";
import { federated } from "./steps/federated.ts";
import { known } from "./steps/known.ts";
import { olm } from "./steps/olm.ts";
import { policy } from "./steps/policy.ts";
import { processed } from "./steps/processed.ts";
import { sent } from "./steps/sent.ts";
import { hasSession, stored, trusted } from "./steps/stored.ts";
import { type Moment as TimelineMoment, timelineOf } from "./timeline.ts";

/** In order; a step counts from 1. */
const STEPS: readonly (readonly [name: string, judge: (one: Case) => Judged])[] = [
  ["entitled", entitled],
  ["known to the sender", known],
  ["allowed by policy", policy],
  ["Olm session", olm],
  ["sent", sent],
  ["federated", federated],
  ["delivered", delivered],
  ["processed", processed],
  ["session stored", stored],
  ["trusted", trusted],
];

/** What lies between the event's membership and the session in the store. */
const [FIRST_OF_KEY, LAST_OF_KEY] = [2, 8];

export interface StepTaken extends Judged {
  /** From 1 on. */
  readonly step: number;
  readonly name: string;
}

/** One event, one device, one verdict. */
export interface Utd {
  readonly event: string;
  readonly room: string;
  readonly session: string;
  readonly index: number | undefined;
  readonly sentAt: number;
  readonly sender: { readonly user: string; readonly device: string | undefined };
  readonly target: DeviceName;
  readonly native: Native;
  readonly product: ProductCause;
  readonly root: Root;
  /** The first bad step; undefined: none is. */
  readonly failedStep: number | undefined;
  readonly lastGoodStep: number | undefined;
  /** Steps up to the verdict. */
  readonly steps: readonly StepTaken[];
  /** False when steps before the verdict could not be judged, or the message was found by its time alone. */
  readonly isSure: boolean;
  /** Undefined: the device was not seen to try. */
  readonly isPermanent: boolean | undefined;
  /** When it could read the event, after it could not. */
  readonly healedAt: number | undefined;
  readonly parcel: string | undefined;
  readonly hops: readonly Hop[];
  readonly timeline: readonly TimelineMoment[];
  /** Rules of the gateway that acted between the sharing and the last look; `isOnPath`: on what the verdict stands on. */
  readonly rules: readonly {
    readonly rule: string;
    readonly exchange: string;
    readonly at: number;
    readonly isOnPath: boolean;
  }[];
  /** Shows the fault again. */
  readonly seed?: string;
  /** Where in what was told it is. */
  readonly place?: string;
  /** Command that tells it again. */
  readonly again?: string;
}

export interface Question extends Pick<Utd, "seed" | "place" | "again"> {
  readonly event: string;
  /** Unless given: devices whose logs tell of it; without logs those that were shown the event. */
  readonly target?: DeviceName;
  /** What the device's library said, where no log tells. */
  readonly native?: Native;
}

/**
 * One verdict a device that could not read the event, at any time.
 *
 * @throws HarnessError BAD_USAGE when the records do not have the event, or no device of which to ask
 */
export function explain(evidence: Evidence, question: Question): readonly Utd[] {
  const event = eventOf(evidence, question.event);
  if (event === undefined) throw noEvent(evidence, question.event);
  const targets = question.target === undefined ? failing(evidence, event.id) : [question.target];
  if (targets.length === 0) {
    throw new HarnessError("BAD_USAGE", {
      what: `the records do not tell who can not read ${event.id}`,
      facts: [`seen devices: ${devicesIn(evidence).map(keyOf).join(", ") || "none"}`],
      next: "name one with --device user/device",
    });
  }
  return targets.map((target) =>
    verdict(caseOf(evidence, event, target, question.native), question),
  );
}

function verdict(one: Case, { seed, place, again }: Question): Utd {
  const { event, target, reads, native, attempt, failedAt } = one;
  const steps = walk(one);
  const last = steps.at(-1);
  const failedStep = last?.verdict === "bad" ? last.step : undefined;
  const root = last?.root ?? "unexplained";
  const lastGood = steps.findLast(({ verdict: v }) => v === "good");
  const healed = reads.find(({ isReadable, at }) => isReadable && at > failedAt);
  const onPath = new Set(steps.flatMap(({ exchanges }) => exchanges));
  const hops = attempt?.parcel === undefined ? [] : hopsOf(one.evidence, attempt.parcel);
  return {
    event: event.id,
    room: event.room,
    session: event.session,
    index: event.index,
    sentAt: event.at,
    sender: event.sender,
    target,
    native,
    product: productCause(root, native),
    root,
    failedStep,
    lastGoodStep: lastGood?.step,
    steps,
    isSure:
      attempt?.isTold !== false &&
      steps.every(({ verdict: v, step }) => v !== "unknown" || step === failedStep),
    isPermanent: reads.some(({ isReadable }) => !isReadable) ? healed === undefined : undefined,
    healedAt: healed?.at,
    parcel: attempt?.parcel,
    hops,
    timeline: timelineOf(one, onPath),
    rules: rulesIn(one, new Set([...onPath, ...hops.map(({ exchange }) => exchange)])),
    ...(seed === undefined ? {} : { seed }),
    ...(place === undefined ? {} : { place }),
    ...(again === undefined ? {} : { again }),
  };
}

/** Up to the first bad step. */
function walk(one: Case): readonly StepTaken[] {
  const steps: StepTaken[] = [];
  for (const [at, [name, judge]] of STEPS.entries()) {
    const step = at + 1;
    const isOfKey = step >= FIRST_OF_KEY && step <= LAST_OF_KEY;
    const judged = isOfKey && hasSession(one) ? skipped("the device has the session") : judge(one);
    steps.push({ step, name, ...judged });
    if (judged.verdict === "bad") break;
  }
  return steps;
}

function failing(evidence: Evidence, event: string): readonly DeviceName[] {
  const logged = evidence.logged.filter((who) =>
    evidence.told(who, "read").some((read) => read.event === event && !read.isReadable),
  );
  if (logged.length > 0 || evidence.logged.length > 0) return logged;
  const sender = eventOf(evidence, event)?.sender;
  const shown = evidence
    .all("event")
    .filter((seen) => seen.event === event && seen.how === "shown");
  const devices = new Map(
    shown.flatMap((seen) => {
      const owner = evidence.owner(seen);
      const isSender = owner !== undefined && sender?.device !== undefined && isSame(owner, sender);
      return owner === undefined || isSender ? [] : [[keyOf(owner), owner] as const];
    }),
  );
  return [...devices.values()];
}

function devicesIn(evidence: Evidence): readonly DeviceName[] {
  const all = evidence.all("upload").flatMap(({ device }) => device ?? []);
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}

function noEvent(evidence: Evidence, id: string): HarnessError {
  const events = [...new Set(evidence.all("event").map(({ event }) => event))];
  return new HarnessError("BAD_USAGE", {
    what: `the records do not have the encrypted event ${id}`,
    facts: [
      `${events.length} others are in them${events.length > 0 ? `: ${events.slice(-5).join(", ")}` : ""}`,
    ],
    next: "name an event id, and the records of the clients that sent and received it",
  });
}

function rulesIn(one: Case, path: ReadonlySet<string>): Utd["rules"] {
  const { sharedAt, attempt, failedAt } = one;
  const from = Math.min(sharedAt, attempt?.at ?? sharedAt);
  return firingsOf(one)
    .filter(({ at, exchange }) => path.has(exchange) || (at >= from && at <= failedAt))
    .map(({ rule, exchange, at }) => ({ rule, exchange, at, isOnPath: path.has(exchange) }));
}
