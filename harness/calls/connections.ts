/** When members were on the SFU, and where that and their membership part. */
import type { CallNote } from "#harness/results/call";
import type { Gap, PlaceLane, Published, Span } from "#harness/results/call-timeline";
import { type CallFact, hashOf } from "./facts.ts";
import { nameOf, type Owner, type Owners } from "./lanes.ts";

type Token = Extract<CallFact, { kind: "token" }>;
type OnSfu = Extract<CallFact, { kind: "on sfu" }>;

interface Change {
  readonly at: number;
  readonly isOn: boolean;
  /** Since when, where that is told later. */
  readonly since?: number;
  readonly sfu?: string;
}

/** By name of the owner. */
export type Connections = ReadonlyMap<
  string,
  { readonly owner: Owner; readonly spans: readonly Span[] }
>;

/** Joining takes its time, at both ends: what is shorter is no gap. */
const GAP_MS = 1_000;

/** Names that an SFU may have for who asked for a token: MSC4195 of now, of before, and deployed. */
function identitiesOf(
  { user: claimed, device, memberId }: Token,
  { user, device: own }: Owner,
): readonly string[] {
  const devices = [device, own].filter((one) => one !== undefined);
  const users = [user, claimed].filter((one) => one !== undefined);
  return users.flatMap((who) => [
    ...(memberId === undefined ? [] : [hashOf(who, memberId)]),
    ...devices.flatMap((one) => [
      `${who}:${one}`,
      ...(memberId === undefined ? [] : [hashOf(who, one, memberId)]),
    ]),
  ]);
}

export function connectionsOf(
  facts: readonly CallFact[],
  notes: readonly CallNote[],
  owners: Owners,
  places: readonly (PlaceLane & { readonly place: string })[],
  { from, to }: Span,
): Connections {
  const known = new Map<string, Owner>();
  const rooms = new Set<string>();
  for (const fact of facts) {
    if (fact.kind !== "token" || fact.from !== "client") continue;
    rooms.add(fact.sfuRoom);
    const owner = owners.ofFact(fact);
    if (owner === undefined) continue;
    for (const identity of identitiesOf(fact, owner)) known.set(identity, owner);
  }
  // A member may have several names there, one of which is asked for in vain.
  const changes: { readonly owner: Owner; readonly identity: string; readonly change: Change }[] =
    [];
  for (const fact of facts) {
    if (fact.kind !== "on sfu" || fact.at > to) continue;
    const owner =
      known.get(fact.identity) ?? (rooms.has(fact.sfuRoom) ? strangerOf(fact) : undefined);
    if (owner === undefined) continue;
    const { at, isOn, since, sfu } = fact;
    const change = { at, isOn, sfu, ...(since === undefined ? {} : { since }) };
    changes.push({ owner, identity: fact.identity, change });
  }
  for (const { who, what, at, from: sfu } of notes) {
    if (what !== "connected" && what !== "disconnected") continue;
    const place = places.find(({ role }) => role === sfu)?.place;
    const change = {
      at,
      isOn: what === "connected",
      ...(place === undefined ? {} : { sfu: place }),
    };
    changes.push({ owner: owners.ofNote(who), identity: "", change });
  }
  return new Map(
    [...Map.groupBy(changes, ({ owner }) => nameOf(owner))].flatMap(([name, own]) => {
      const lists = [...Map.groupBy(own, ({ identity }) => identity).values()];
      const spans = lists.flatMap((list) =>
        spansOf(
          list.map(({ change }) => change),
          places,
          { from, to },
        ),
      );
      const [first] = own;
      return first === undefined ? [] : [[name, { owner: first.owner, spans: without(spans, []) }]];
    }),
  );
}

/** Somebody on the SFU who asked for no token here. */
function strangerOf({ identity }: OnSfu): Owner {
  return { user: `SFU participant ${identity.slice(0, 12)}` };
}

function spansOf(
  list: readonly Change[],
  places: readonly (PlaceLane & { readonly place: string })[],
  { from, to }: Span,
): readonly Span[] {
  const spans: Span[] = [];
  let open: { readonly at: number; readonly sfu: string | undefined } | undefined;
  const close = (at: number) => {
    if (open === undefined) return;
    // With the SFU all connections to it go.
    const { at: start, sfu } = open;
    const lost = places
      .filter(({ place }) => place === sfu)
      .flatMap(({ down }) => down)
      .find((span) => span.from > start && span.from < at);
    spans.push({ from: start, to: lost?.from ?? at });
    open = undefined;
  };
  for (const { at, isOn, since, sfu } of list.toSorted((a, b) => a.at - b.at)) {
    // Told later, as of one that is gone by then.
    const isKnown = since !== undefined && since >= (spans.at(-1)?.to ?? from) && since <= at;
    const start = isKnown ? since : at;
    if (isOn || (open === undefined && isKnown)) open ??= { at: start, sfu };
    if (!isOn) close(at);
  }
  close(to);
  return spans;
}

/** @param published of which memberships count */
export function gapsOf(
  published: readonly Published[],
  connected: readonly Span[],
): readonly Gap[] {
  const members = published.filter(({ kind }) => kind !== "sticky");
  const gaps = (what: Gap["what"], one: readonly Span[], other: readonly Span[]) =>
    without(one, other)
      .filter(({ from, to }) => to - from >= GAP_MS)
      .map((span) => ({ ...span, what }));
  return [
    ...gaps("ghost", members, connected),
    ...gaps("eavesdropper", connected, members),
  ].toSorted((a, b) => a.from - b.from);
}

/** What is in any of the first and in none of the others. */
function without(spans: readonly Span[], others: readonly Span[]): readonly Span[] {
  const edges = [...spans, ...others].flatMap(({ from, to }) => [from, to]);
  const times = [...new Set(edges)].sort((a, b) => a - b);
  const isIn = (list: readonly Span[], at: number) =>
    list.some(({ from, to }) => from <= at && at < to);
  const found: { from: number; to: number }[] = [];
  for (const [index, from] of times.entries()) {
    const to = times[index + 1];
    if (to === undefined || !isIn(spans, from) || isIn(others, from)) continue;
    const last = found.at(-1);
    if (last?.to === from) last.to = to;
    else found.push({ from, to });
  }
  return found;
}
