/** A call in words, line by line: for who can not see the picture, and for what is too small in it. */
import type { CallTimeline, MemberLane } from "#harness/results/call-timeline";
import { GAPS, seconds } from "./call-lane.ts";
import { plain } from "./call-shapes.ts";

export interface CallMoment {
  readonly at: number;
  /** On one line, yet to be escaped. */
  readonly says: string;
}

const MOST_LINES = 60;

/** The first of them, in order. */
export function momentsOf({ members, places, rules, to: end }: CallTimeline): {
  readonly lines: readonly CallMoment[];
  readonly more: number;
} {
  const all = [
    ...members.flatMap((lane) => ofMember(lane, end)),
    ...places.flatMap(({ role, down, acts }) => [
      ...down.flatMap(({ from, to, what }) => [
        { at: from, says: `${plain(role)}: ${plain(what)}` },
        { at: to, says: `${plain(role)} is back` },
      ]),
      ...acts.map(({ from, what }) => ({ at: from, says: `${plain(role)}: ${plain(what)}` })),
    ]),
    ...rules.flatMap(({ name, from, to, acted }) => [
      { at: from, says: `rule "${plain(name)}" from here on` },
      { at: to, says: `rule "${plain(name)}" ends, acted ${acted.length} times in what is drawn` },
    ]),
  ].toSorted((a, b) => a.at - b.at);
  const lines = withoutRepeats(all);
  return { lines: lines.slice(0, MOST_LINES), more: Math.max(0, lines.length - MOST_LINES) };
}

/** What is said again and again is one line. */
function withoutRepeats(all: readonly CallMoment[]): readonly CallMoment[] {
  const lines: (CallMoment & { times: number })[] = [];
  for (const moment of all) {
    const last = lines.at(-1);
    if (last?.says === moment.says) last.times++;
    else lines.push({ ...moment, times: 1 });
  }
  return lines.map(({ at, says, times }) => ({
    at,
    says: times === 1 ? says : `${says} (${times} times)`,
  }));
}

function ofMember(lane: MemberLane, last: number): readonly CallMoment[] {
  const who = plain(lane.user.replace(/:.*$/s, ""), 32);
  const name = `${who}${lane.server === undefined ? "" : ` (${plain(lane.server)})`}`;
  const tell = (at: number, says: string) => ({ at, says: `${name} ${says}` });
  return [
    ...lane.published.flatMap(({ kind, key, from, to, updates, end }) => [
      tell(
        from,
        kind === "sticky" ? `sends a sticky value ${plain(key, 32)}` : `joins as ${plain(key, 32)}`,
      ),
      ...updates.map((at) => tell(at, `sends ${plain(key, 32)} again`)),
      ...(end === "open" ? [] : [tell(to, `${plain(key, 32)} ends: ${end}`)]),
    ]),
    ...lane.connected.flatMap(({ from, to }) => [
      tell(from, "is on the SFU"),
      ...(to < last ? [tell(to, "is on the SFU no longer")] : []),
    ]),
    ...lane.delayed.flatMap(
      ({ at, type, delayMs, restarts, delegatedAt, end, endAt, again = [] }) => {
        const event = `${plain(type, 32)} (${seconds(delayMs)})`;
        return [
          tell(at, `schedules ${event}`),
          ...(delegatedAt === undefined
            ? []
            : [tell(delegatedAt, `leaves ${event} to the service`)]),
          ...restarts.map((restart) =>
            tell(restart.at, `${event} is restarted by ${plain(restart.by)}`),
          ),
          ...again.map((time) => tell(time, `${event}: sent once more`)),
          ...(end === "waiting" ? [] : [tell(endAt, `${event}: ${end}`)]),
        ];
      },
    ),
    ...lane.hears.flatMap(({ of, spans }) =>
      spans.map(({ from, what }) => tell(from, `${what}: ${plain(of, 40)}`)),
    ),
    ...lane.keys.map(({ at, what, of, index, digest }) =>
      tell(
        at,
        `${what} key ${index ?? "?"} of ${plain(of, 40)}${digest === undefined ? "" : ` (${plain(digest)})`}`,
      ),
    ),
    ...lane.gaps.map(({ from, to, what }) => tell(from, `${GAPS[what]}, ${seconds(to - from)}`)),
  ];
}
