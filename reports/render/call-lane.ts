/** The lane of a member, of a server or of a rule: rows below each other, each with its height. */
import type {
  Delayed,
  DelayedEnd,
  MemberLane,
  PlaceLane,
  Published,
  RuleLane,
  Span,
} from "#harness/results/call-timeline";
import { bar, label, line, mark, type Scale, safe, x } from "./call-shapes.ts";

/** What it draws from its top, and how high it is. */
export interface Drawn {
  readonly svg: readonly string[];
  readonly height: number;
}

interface Row {
  readonly draw: (y: number) => readonly string[];
}

/** How strong a bar is at both ends, in tenths. */
export type Fade = readonly [number, number];

/** Words, and below them what they are about. */
const ROW = 26;
const BAR = 14;
const HEAD = 20;
/** More of them in one lane than anybody looks at. */
const MOST_ROWS = 12;
/** Width of one on a phone, percent: few are wider. */
const CHARACTER = 1.65;
/** A server is not to be late for less. */
const LATE_MS = 250;
/** What sticks is seen until it ends. */
const FAINTEST = 2;

const ENDS: Readonly<Record<DelayedEnd, string>> = {
  fired: "sent by the server at its time",
  sent: "sent when asked to",
  cancelled: "cancelled",
  due: "due, and not seen sent",
  waiting: "not due yet",
};

export function seconds(ms: number): string {
  return ms >= 120_000 ? `${(ms / 60_000).toFixed(0)} min` : `${(ms / 1_000).toFixed(1)} s`;
}

export function memberLane(scale: Scale, lane: MemberLane, top: number): Drawn {
  const rows = [
    ...publishedRows(scale, lane.published),
    ...connectionRows(scale, lane),
    ...unusualFirst(lane.delayed).map((one) => delayedRow(scale, one)),
    ...lane.hears.map(({ of, spans }) => ({
      draw: (y: number) => [
        ...spans.map(({ from, to, what }) =>
          bar(scale, { from, to }, y + BAR, { kind: what, says: `${HEARD[what]} ${safe(of)}` }),
        ),
        words(scale, spans[0]?.from ?? scale.from, y, heardOf(of, spans)),
      ],
    })),
    ...keyRows(scale, lane),
  ];
  const shown = rows.slice(0, MOST_ROWS);
  const more = rows.length - shown.length;
  const { user, device, server } = lane;
  const name = `${safe(user, 44)}${device === undefined ? "" : ` <tspan class="soft">${safe(device, 16)}</tspan>`}`;
  const on = server === undefined ? "" : ` <tspan class="soft">on ${safe(server, 12)}</tspan>`;
  return {
    svg: [
      label(2, top + 15, name + on, "who"),
      ...shown.flatMap(({ draw }, at) => draw(top + HEAD + at * ROW)),
      ...(more > 0
        ? [label(2, top + HEAD + shown.length * ROW + 12, `and ${more} more rows`, "soft small")]
        : []),
    ],
    height: HEAD + (shown.length + (more > 0 ? 1 : 0)) * ROW + 6,
  };
}

function heardOf(of: string, spans: MemberLane["hears"][number]["spans"]): string {
  const kinds = [...new Set(spans.map(({ what }) => HEARD[what]))];
  return `${kinds.join(", ")}: ${safe(of, 40)}`;
}

const HEARD = { heard: "hears", silent: "silent", "missing-key": "no key", failed: "failed" };

/** Above what begins there; what would end beyond the right edge of a phone begins earlier, or ends there. */
function words(scale: Scale, at: number, y: number, content: string, kind = ""): string {
  const characters = content.replace(/&#\d+;/g, "&").length;
  const left = x(scale, at);
  const latest = 98 - characters * CHARACTER;
  if (left > latest && left > 50) return label(98, y + 10, content, `small end ${kind}`);
  return label(Math.max(2, Math.min(left, latest)), y + 10, content, `small ${kind}`);
}

/** Values of one key share a row, and so do those that do not meet. */
function publishedRows(scale: Scale, published: readonly Published[]): readonly Row[] {
  const rows: Published[][] = [];
  for (const one of published) {
    const row = rows.find((own) =>
      own.every(({ kind, to }) => kind === one.kind && to <= one.from),
    );
    if (row === undefined) rows.push([one]);
    else row.push(one);
  }
  return rows.map((own) => ({
    draw: (y: number) => [
      ...own.flatMap((one) => publishedBars(scale, one, y + BAR)),
      words(scale, own[0]?.from ?? scale.from, y, wordsOf(own)),
    ],
  }));
}

function wordsOf(own: readonly Published[]): string {
  const [first] = own;
  if (first === undefined) return "";
  const keys = own.length === 1 ? safe(first.key, 28) : `${own.length} times`;
  const last = own.at(-1);
  const sticks = last?.stickyMs === undefined ? "" : `, sticks ${seconds(last.stickyMs)}`;
  return `${first.kind} ${keys}${sticks}${last === undefined || last.end === "open" ? "" : `, ${last.end}`}`;
}

/** Each time it is sent again it is as strong as at first. */
function publishedBars(scale: Scale, one: Published, y: number): readonly string[] {
  const starts = [one.from, ...one.updates];
  const says = `${one.kind} ${safe(one.type)} ${safe(one.key)}: ${one.end}`;
  const kind = one.kind === "legacy member" ? "legacy" : one.kind;
  return [
    ...starts.map((from, at) => {
      const to = starts[at + 1] ?? one.to;
      const fade = fadeOf(one, { from, to });
      return bar(scale, { from, to }, y, { kind, says, ...(fade === undefined ? {} : { fade }) });
    }),
    ...one.updates.map((at) => mark(scale, at, y + 5, "update", "sent again")),
  ];
}

export function fadeOf({ stickyMs }: Published, { from, to }: Span): Fade | undefined {
  if (stickyMs === undefined || stickyMs <= 0) return undefined;
  const left = 1 - Math.min(1, (to - from) / stickyMs);
  const end = Math.round(FAINTEST + left * (10 - FAINTEST));
  return end === 10 ? undefined : [10, end];
}

function connectionRows(scale: Scale, { connected, tokens, gaps }: MemberLane): readonly Row[] {
  if (connected.length + tokens.length + gaps.length === 0) return [];
  const starts = [...connected, ...gaps].map(({ from }) => from).concat(tokens.map(({ at }) => at));
  const onIt =
    connected.length > 0 ? ["on the SFU"] : tokens.length > 0 ? ["token for the SFU"] : [];
  const told = [...Map.groupBy(gaps, ({ what }) => what)].map(
    ([what, own]) => `${what} ${seconds(own.reduce((sum, { from, to }) => sum + to - from, 0))}`,
  );
  return [
    {
      draw: (y: number) => [
        ...connected.map((span) => bar(scale, span, y + BAR, { kind: "sfu", says: "on the SFU" })),
        ...gaps.map((gap) => bar(scale, gap, y + BAR, { kind: gap.what, says: GAPS[gap.what] })),
        words(
          scale,
          Math.min(...starts),
          y,
          [...onIt, ...told].join(", "),
          told.length > 0 ? "bad" : "",
        ),
        ...tokens.map(({ at, isGiven }) =>
          mark(
            scale,
            at,
            y + BAR + 4,
            isGiven ? "token" : "cancelled",
            isGiven ? "token" : "no token",
          ),
        ),
      ],
    },
  ];
}

export const GAPS = { ghost: "ghost: no media", eavesdropper: "eavesdropper: no member" };

/** Of more than are shown, those first that did not end as they were to. */
function unusualFirst(delayed: readonly Delayed[]): readonly Delayed[] {
  if (delayed.length <= MOST_ROWS / 2) return delayed;
  const weight = ({ again, end, endAt, due }: Delayed) =>
    again !== undefined ? 3 : end === "due" ? 2 : Math.abs(endAt - due) > LATE_MS ? 1 : 0;
  return delayed.toSorted((a, b) => weight(b) - weight(a));
}

/** From when it was made to when it ended; where it was due before a restart is told too. */
function delayedRow(scale: Scale, one: Delayed): Row {
  const { at, type, delayMs, restarts, due, end, endAt, delegatedAt, again = [] } = one;
  const moved = [at, ...restarts.slice(0, -1).map((restart) => restart.at)]
    .slice(0, restarts.length)
    .map((start) => start + delayMs)
    .filter((time) => time <= scale.to);
  const says = `${safe(type)} after ${seconds(delayMs)}: ${ENDS[end]}`;
  const restarted = restarts.length === 0 ? "" : `, ${restarts.length} restarts`;
  const more = again.length === 0 ? "" : `, sent ${again.length + 1} times`;
  const beyond = due > scale.to ? `, due ${seconds(due - scale.to)} after the end` : "";
  const last = Math.min(scale.to, Math.max(endAt, due));
  const isElsewhere = due <= scale.to && Math.abs(due - endAt) > LATE_MS;
  return {
    draw: (top: number) => {
      const y = top + BAR + 5;
      return [
        line(scale, at, last, y, "wait"),
        ...(delegatedAt === undefined ? [] : [line(scale, delegatedAt, endAt, y + 4, "left-to")]),
        ...moved.map((time) => mark(scale, time, y, "moved", "was due before a restart")),
        ...(isElsewhere ? [mark(scale, due, y, "moved", "was due")] : []),
        ...restarts.map((restart) =>
          mark(scale, restart.at, y, "restart", `restarted by ${safe(restart.by, 12)}`),
        ),
        ...again.map((time) => mark(scale, time, y, "fired", "sent once more")),
        ...(end === "waiting" ? [] : [mark(scale, endAt, y, end, says)]),
        words(
          scale,
          at,
          top,
          `${safe(type, 32)} ${seconds(delayMs)}: ${end}${more}${restarted}${beyond}`,
        ),
      ];
    },
  };
}

function keyRows(scale: Scale, { keys }: MemberLane): readonly Row[] {
  return [...Map.groupBy(keys, ({ what, of }) => `${what} ${of}`).values()].map((own) => ({
    draw: (y: number) => [
      ...own.map(({ at, what, of, index, digest }) =>
        mark(
          scale,
          at,
          y + BAR + 5,
          "key",
          `${what} key ${index ?? "?"} of ${safe(of)} ${safe(digest ?? "")}`,
        ),
      ),
      ...own.map(({ at, index }) =>
        label(x(scale, at) + 1.6, y + BAR + 9, String(index ?? "?"), "small"),
      ),
      words(
        scale,
        own[0]?.at ?? scale.from,
        y,
        `${own[0]?.what} keys of ${safe(own[0]?.of ?? "", 40)}`,
      ),
    ],
  }));
}

export function placeLane(scale: Scale, { role, name, down, acts }: PlaceLane, top: number): Drawn {
  const y = top + BAR;
  const called = name === undefined ? "" : ` <tspan class="soft">${safe(name, 32)}</tspan>`;
  const told = [...down, ...acts].map(
    ({ from, to, what }) => `${safe(what, 20)} ${seconds(to - from)}`,
  );
  const troubles =
    told.length === 0 ? "" : ` <tspan class="fail">${told.slice(0, 4).join(", ")}</tspan>`;
  return {
    svg: [
      line(scale, scale.from, scale.to, y + 5, "wait"),
      ...down.map((span) => bar(scale, span, y, { kind: "down", says: safe(span.what) })),
      ...acts.map(({ from, what }) => mark(scale, from, y + 5, "acted", safe(what))),
      label(2, top + 10, `${safe(role, 12)}${called}${troubles}`, "who"),
    ],
    height: ROW,
  };
}

export function ruleLane(scale: Scale, { name, from, to, acted }: RuleLane, top: number): Drawn {
  const y = top + BAR;
  return {
    svg: [
      bar(scale, { from, to }, y, { kind: "rule", says: safe(name, 200) }),
      ...acted.map((at) => mark(scale, at, y + 5, "acted", "acted")),
      words(scale, from, top, `rule: ${safe(name, 48)}`),
    ],
    height: ROW,
  };
}
