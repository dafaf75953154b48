/** From what a check knows of its call and what went over the wire to the lanes of its picture. A pure function. */
import { isDeepStrictEqual } from "node:util";
import { viewOf } from "#harness/forensics/view";
import type { Exchange } from "#harness/gateway/exchange";
import type { CallNote, CallRecord } from "#harness/results/call";
import type {
  CallTimeline,
  Hearing,
  KeyMark,
  MemberLane,
  PlaceLane,
  Span,
} from "#harness/results/call-timeline";
import { type Connections, connectionsOf, gapsOf } from "./connections.ts";
import { delayedOf, type Found, type Seen } from "./delayed.ts";
import { type CallFact, callFactsOf, isMemberType } from "./facts.ts";
import { nameOf, type Owner, Owners } from "./lanes.ts";
import { placesOf, rulesOf } from "./places.ts";
import { isPublication, publishedOf } from "./published.ts";

/** How far the time that a server gives an event may be from that of its request. */
const SKEW_MS = 2_000;

/** @param exchanges of the check and about its rooms, see `exchangesOf` */
export function foldCall(record: CallRecord, exchanges: readonly Exchange[]): CallTimeline {
  const views = exchanges.map(viewOf);
  const facts = views
    .flatMap(callFactsOf)
    .filter(({ at }) => at >= record.from - SKEW_MS && at <= record.to)
    .toSorted((a, b) => a.at - b.at);
  const roles = new Map(record.places.map(({ place, role }) => [place, role]));
  const owners = new Owners(record, facts);
  const window = windowOf(record, facts);
  const asked = new Set(exchanges.flatMap(({ from, to }) => [from, to]));
  const places = placesOf(record, window.to, (place) => asked.has(place));
  const shown = shownOnce(facts, owners);
  const roleOf = (place: string) => roles.get(place) ?? place;
  const delayed = delayedOf(facts, shown, owners, window.to, roleOf).map((found) =>
    onceUp(found, places, serverOf(record, found.owner)),
  );
  const connections = connectionsOf(facts, record.notes, owners, places, window);
  const firings = exchanges.flatMap(({ at, rules = [] }) => rules.map((rule) => ({ rule, at })));
  return {
    ...window,
    places: places.map(({ place: _, ...lane }) => lane),
    rules: rulesOf(record, window.to, firings),
    members: membersOf({ record, facts, owners, window, shown, delayed, connections }),
    cut: views.filter(({ isRequestCut, cutAnswer }) => isRequestCut || cutAnswer !== undefined)
      .length,
  };
}

/** A server may give what was overdue the time at which it was due: nothing is sent by one that is down. */
function onceUp(found: Found, places: readonly PlaceLane[], server: string | undefined): Found {
  const { delayed, event } = found;
  const down = places.find(({ role }) => role === server)?.down ?? [];
  const isDown = down.some(({ from, to }) => from <= delayed.endAt && delayed.endAt < to);
  if (event === undefined || !isDown) return found;
  return { ...found, delayed: { ...delayed, endAt: event.at } };
}

/** From the first that is known of the call: servers of the check's own had to start before. */
function windowOf({ from, to, faults, notes }: CallRecord, facts: readonly CallFact[]): Span {
  const times = [
    ...facts.filter(({ kind }) => kind !== "seen").map(({ at }) => at),
    ...faults.map((fault) => fault.from),
    ...notes.map(({ at }) => at),
  ].filter((at) => at >= from && at <= to);
  return { from: times.reduce((first, at) => Math.min(first, at), to), to };
}

/** What servers showed, each event once, without what clients sent themselves: what was delayed is among the rest. */
function shownOnce(facts: readonly CallFact[], owners: Owners): readonly Seen[] {
  const sent = facts.filter((fact) => fact.kind === "sent");
  const ids = new Set(sent.map(({ eventId }) => eventId));
  const isSentByClient = (seen: Seen) =>
    sent.some(
      ({ at, type, content, client, stateKey }) =>
        type === seen.type &&
        stateKey === seen.stateKey &&
        Math.abs(seen.sentAt - at) <= SKEW_MS &&
        owners.ofClient(client)?.user === seen.sender &&
        isDeepStrictEqual(content, seen.content),
    );
  const seen = facts.filter((fact): fact is Seen => fact.kind === "seen");
  const alike = Map.groupBy(seen, ({ sender, type, sentAt, stateKey, content }) =>
    JSON.stringify([sender, type, sentAt, stateKey, content]),
  );
  return [...alike.values()]
    .flatMap((same) => {
      const named = same.filter(({ eventId }) => eventId !== undefined);
      const [first] = same;
      // Between servers events go without their ids.
      if (named.length === 0) return first === undefined || isSentByClient(first) ? [] : [first];
      const byId = new Map(named.toReversed().map((one) => [one.eventId, one]));
      return [...byId.values()].filter(({ eventId }) => !ids.has(eventId));
    })
    .toSorted((a, b) => a.sentAt - b.sentAt);
}

interface Parts {
  readonly record: CallRecord;
  readonly facts: readonly CallFact[];
  readonly owners: Owners;
  readonly window: Span;
  readonly shown: readonly Seen[];
  readonly delayed: readonly Found[];
  readonly connections: Connections;
}

function membersOf(parts: Parts): readonly MemberLane[] {
  const { record, facts, owners, window, delayed, connections } = parts;
  const published = publicationsOf(parts);
  const owned = [
    ...published.map(({ owner }) => owner),
    ...delayed.map(({ owner }) => owner),
    ...[...connections.values()].map(({ owner }) => owner),
    ...record.notes.map(({ who }) => owners.ofNote(who)),
    ...facts.flatMap((fact) =>
      isToken(fact) || fact.kind === "key sent" ? (owners.ofFact(fact) ?? []) : [],
    ),
  ];
  const lanes = new Map(owned.map((owner) => [nameOf(owner), owner]));
  const hasMembers = published.some(({ one }) => isMemberType(one.type));
  const isJudged = hasMembers && [...connections.values()].some(({ spans }) => spans.length > 0);
  return [...lanes]
    .map(([name, owner]): MemberLane => {
      const own = published.filter((each) => nameOf(each.owner) === name).map(({ one }) => one);
      const spans = publishedOf(own, outsOf(facts, owner, owners), window);
      const connected = connections.get(name)?.spans ?? [];
      const server = serverOf(record, owner);
      return {
        ...owner,
        ...(server === undefined ? {} : { server }),
        published: spans,
        delayed: delayed.filter((each) => nameOf(each.owner) === name).map((each) => each.delayed),
        connected,
        tokens: facts
          .filter((fact) => isToken(fact))
          .filter((fact) => isOf(fact, name, owners))
          .map(({ at, isGiven }) => ({ at, isGiven })),
        hears: hearingsOf(record.notes, name, owners, window),
        keys: keysOf(parts, name, owner),
        gaps: isJudged ? gapsOf(spans, connected) : [],
      };
    })
    .toSorted((a, b) => startOf(a) - startOf(b));
}

/** What servers and services ask each other for is not asked for again. */
function isToken(fact: CallFact): fact is Extract<CallFact, { kind: "token" }> {
  return fact.kind === "token" && fact.from === "client";
}

function isOf(fact: CallFact, name: string, owners: Owners): boolean {
  const owner = owners.ofFact(fact);
  return owner !== undefined && nameOf(owner) === name;
}

function publicationsOf({ facts, owners, shown, delayed }: Parts) {
  const fired = new Map(delayed.map((found) => [found.event, found]));
  return [
    ...facts.flatMap((fact) => {
      if (fact.kind !== "sent" || !isPublication(fact)) return [];
      const owner = owners.ofClient(fact.client);
      return owner === undefined ? [] : [{ owner, one: { ...fact, isDelayed: false } }];
    }),
    ...shown.filter(isPublication).map((event) => {
      const from = fired.get(event);
      const owner = from?.owner ?? owners.ofEvent(event.sender, event);
      const at = from?.delayed.endAt ?? event.sentAt;
      return { owner, one: { ...event, at, isDelayed: from !== undefined } };
    }),
  ];
}

/** When a user left a room or was put out of it. */
function outsOf(facts: readonly CallFact[], { user }: Owner, owners: Owners) {
  return facts.filter(
    (fact) => fact.kind === "put out" && (fact.user ?? owners.ofClient(fact.client)?.user) === user,
  ) as Extract<CallFact, { kind: "put out" }>[];
}

function serverOf({ places }: CallRecord, { user }: Owner): string | undefined {
  const name = user.slice(user.indexOf(":") + 1);
  return places.find(({ serverName }) => serverName === name)?.role;
}

function hearingsOf(
  notes: readonly CallNote[],
  name: string,
  owners: Owners,
  { to }: Span,
): readonly Hearing[] {
  const own = notes.flatMap(({ who, from, what, at }) => {
    if (what === "key" || what === "connected" || what === "disconnected") return [];
    if (nameOf(owners.ofNote(who)) !== name) return [];
    return [{ of: from === undefined ? "somebody" : nameOf(owners.ofNote(from)), what, at }];
  });
  return [...Map.groupBy(own, ({ of }) => of)].map(([of, list]) => {
    const sorted = list.toSorted((a, b) => a.at - b.at);
    const spans = sorted.map(({ what, at }, index) => ({
      what,
      from: at,
      to: sorted[index + 1]?.at ?? Math.max(at, to),
    }));
    return { of, spans };
  });
}

function keysOf({ record, facts, owners }: Parts, name: string, owner: Owner): readonly KeyMark[] {
  const noted = record.notes.flatMap(({ who, from, what, at, index, digest }): KeyMark[] => {
    if (what !== "key" || nameOf(owners.ofNote(who)) !== name) return [];
    const of = from === undefined ? name : nameOf(owners.ofNote(from));
    const rest = digest === undefined ? {} : { digest };
    return [{ at, what: of === name ? "uses" : "has", of, index, ...rest }];
  });
  const sent = facts.flatMap((fact): KeyMark[] => {
    if (fact.kind !== "key sent" || !isOf(fact, name, owners)) return [];
    const { at, index, digest } = fact;
    const rest = digest === undefined ? {} : { digest };
    return [{ at, what: "sent", of: nameOf(owner), index, ...rest }];
  });
  return [...noted, ...sent].toSorted((a, b) => a.at - b.at);
}

function startOf({ published, delayed, connected, tokens, hears, keys }: MemberLane): number {
  return Math.min(
    ...[...published, ...connected].map(({ from }) => from),
    ...[...delayed, ...tokens, ...keys].map(({ at }) => at),
    ...hears.flatMap(({ spans }) => spans.map(({ from }) => from)),
  );
}
