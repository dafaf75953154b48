/** What happened around an event that can not be read, in at most twenty lines. */
import type { Entry } from "#harness/clients/crypto/client-log";
import { type Case, firingsOf } from "./case.ts";
import { isSame } from "./evidence.ts";
import type { Fact } from "./facts.ts";
import { clock } from "./judged.ts";

export interface Moment {
  readonly at: number;
  readonly says: string;
  readonly exchange?: string;
}

const MOST_LINES = 20;
/** The first time counts: a client asks for what it can not read again and again. */
const SHOWN = "the device was shown the event";

interface Weighed extends Moment {
  /** What goes first when there are too many. */
  readonly weight: number;
}

/** @param evident ids of exchanges that the verdict stands on: they are never left out for others */
export function timelineOf(one: Case, evident: ReadonlySet<string>): readonly Moment[] {
  const lines = [
    ...one.evidence.facts.flatMap((fact) => lineOf(one, fact)),
    ...clientLines(one),
    ...firingsOf(one).map(({ rule, exchange, at }) =>
      line(at, 1, `rule "${rule}" acted`, exchange),
    ),
  ].map((told) =>
    told.exchange !== undefined && evident.has(told.exchange) ? { ...told, weight: 5 } : told,
  );
  // Several exchanges may show one thing.
  const different = new Map(
    lines
      .toSorted((a, b) => b.at - a.at)
      .map((told) => [told.says === SHOWN ? SHOWN : `${told.at} ${told.says}`, told]),
  );
  return [...different.values()]
    .sort((a, b) => b.weight - a.weight || b.at - a.at)
    .slice(0, MOST_LINES)
    .sort((a, b) => a.at - b.at)
    .map(({ at, says, exchange }) => ({
      at,
      says,
      ...(exchange === undefined ? {} : { exchange }),
    }));
}

function line(at: number, weight: number, says: string, exchange?: string): Weighed {
  return { at, weight, says, ...(exchange === undefined ? {} : { exchange }) };
}

function lineOf(one: Case, fact: Fact): readonly Weighed[] {
  const { evidence, event, target, attempt } = one;
  const owner = evidence.owner(fact);
  const isTarget = isSame(owner, target);
  const isSender = event.sender.device !== undefined && isSame(owner, event.sender);
  const { at, id } = fact;
  switch (fact.kind) {
    case "upload":
      return isTarget && fact.device !== undefined
        ? [line(at, 3, "the device's keys came to its server", id)]
        : isTarget
          ? [line(at, 1, `the device published ${fact.oneTimeKeys.length} keys`, id)]
          : [];
    case "query":
      return isSender && fact.asked.includes(target.user)
        ? [
            line(
              at,
              2,
              `the sender asked for the devices of ${target.user}: ${queryOutcome(one, fact)}`,
              id,
            ),
          ]
        : [];
    case "claim":
      return fact.asked.some((asked) => isSame(asked, target))
        ? [
            line(
              at,
              3,
              `${isSender ? "the sender" : (owner?.user ?? "somebody")} claimed a key: ${fact.answer?.find((key) => isSame(key, target))?.id ?? "none came"}`,
              id,
            ),
          ]
        : [];
    case "to-device":
      return attempt?.parcel !== undefined && evidence.puts(attempt.parcel).includes(fact)
        ? [
            line(
              at,
              5,
              `the sender sent the message${fact.isAnswered ? `: ${fact.status}` : ", no answer"}`,
              id,
            ),
          ]
        : [];
    case "transaction":
      return attempt?.parcel !== undefined &&
        fact.toDevice.some(({ addressed }) =>
          addressed.some(({ parcels }) => parcels.includes(attempt.parcel ?? "")),
        )
        ? [line(at, 5, `${fact.from} sent it on to ${fact.to}: ${fact.status ?? "no answer"}`, id)]
        : fact.updates.some((update) => isSame(update, target))
          ? [
              line(
                at,
                3,
                `${fact.from} told ${fact.to} of the device: ${fact.status ?? "no answer"}`,
                id,
              ),
            ]
          : [];
    case "sync": {
      if (isTarget && fact.parcels.some((parcel) => parcel.id === attempt?.parcel))
        return [line(fact.end, 5, "the message was in an answer to the device", id)];
      if (isSender && fact.changed.includes(target.user))
        return [line(fact.end, 3, "the sender was told that devices have changed", id)];
      return isTarget && at >= event.at - 60_000 ? [line(at, 0, "the device synced", id)] : [];
    }
    case "membership":
      return fact.room === event.room && (fact.user ?? owner?.user) === target.user
        ? [line(fact.since, 2, `${target.user}: ${fact.membership}`, id)]
        : [];
    case "event":
      return fact.event !== event.id
        ? []
        : fact.how === "sent"
          ? [line(at, 5, "the event was sent", id)]
          : isTarget
            ? [line(fact.end, 2, SHOWN, id)]
            : [];
    case "backup":
      return isTarget && fact.how === "fetched"
        ? [line(at, 3, `the device restored ${fact.sessions.length} sessions of the backup`, id)]
        : [];
    default:
      return [];
  }
}

function queryOutcome({ target }: Case, { answer }: Extract<Fact, { kind: "query" }>): string {
  if (answer === undefined) return "no answer";
  return answer.devices.some((device) => isSame(device, target))
    ? "it was there"
    : "it was not there";
}

function clientLines(one: Case): readonly Weighed[] {
  const { evidence, event, target, attempt } = one;
  const ofSender = event.sender.device === undefined ? [] : (evidence.log(event.sender) ?? []);
  const ofTarget = evidence.log(target) ?? [];
  const tell = (who: string, entry: Entry): readonly Weighed[] => {
    const { at } = entry;
    switch (entry.t) {
      case "start":
        return [line(at, 3, `${who} started, its store ${entry.store}`)];
      case "stop":
        return [line(at, 4, `${who} ended (${entry.how})`)];
      case "snapshot":
        return [line(at, 2, `${who}'s store was copied`)];
      case "took": {
        const ours = entry.parcels.find(({ id }) => id === attempt?.parcel);
        return ours === undefined
          ? []
          : [line(at, 5, `${who} took it in: ${ours.outcome ?? "no outcome"}`)];
      }
      default:
        return [];
    }
  };
  return [
    ...ofSender.flatMap((entry) => (entry.t === "took" ? [] : tell("the sender", entry))),
    ...ofTarget.flatMap((entry) => tell("the device", entry)),
    ...readLines(one),
  ];
}

/** A device that waits for a key tries again and again: what comes to the same is one line. */
function readLines({ reads }: Case): readonly Weighed[] {
  const says = ({ isReadable, code }: Case["reads"][number]) =>
    isReadable ? "could read the event" : `could not read it: ${code ?? "no code"}`;
  const told: Weighed[] = [];
  for (let from = 0; from < reads.length; ) {
    const first = reads[from];
    if (first === undefined) break;
    const end = reads.findIndex((read, at) => at > from && says(read) !== says(first));
    const to = end < 0 ? reads.length : end;
    const last = reads[to - 1] ?? first;
    const more = to - from > 1 ? `, ${to - from} times until ${clock(last.at)}` : "";
    told.push(line(first.at, 5, `the device ${says(first)}${more}`));
    from = to;
  }
  return told;
}
