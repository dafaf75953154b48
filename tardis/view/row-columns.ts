/** Rows as columns: a hundred thousand of them go from the worker to the page in a few pieces of memory. */
import { domainOf } from "#protocol/auth/auth-event";
import { shown } from "#tardis/explain/shown";
import type { Run } from "#tardis/model/run";
import type { Annotations } from "./annotations.ts";
import { ROW_KINDS, type RowColumns, type RowView, type Texts } from "./messages.ts";
import { kindOf, labelOf } from "./row-label.ts";
import { shortOf } from "./short.ts";

/** @param serverOf the number of a server, by its name */
export function columnsOf(
  run: Run,
  annotations: Annotations,
  serverOf: (name: string) => number,
): RowColumns {
  const { pdus, graph } = run;
  const { offsets, targets } = graph.edges.prev;
  const packed = <Item>(items: readonly Item[], textOf: (item: Item, row: number) => string) => {
    const ends = new Uint32Array(items.length);
    const texts = items.map(textOf);
    let end = 0;
    for (const [row, text] of texts.entries()) {
      end += text.length;
      ends[row] = end;
    }
    return { all: texts.join(""), ends };
  };
  const senders = new Map<string, string>();
  const senderOf = (sender: string) => {
    const known = senders.get(sender);
    if (known !== undefined) return known;
    const text = shown(sender);
    senders.set(sender, text);
    return text;
  };
  const size = pdus.length;
  const [server, kind, hasGap] = [
    new Uint32Array(size),
    new Uint8Array(size),
    new Uint8Array(size),
  ];
  const [time, seq] = [new Float64Array(size), new Float64Array(size)];
  for (const [row, { event, seq: own }] of pdus.entries()) {
    server[row] = serverOf(domainOf(event.sender));
    time[row] = event.originServerTs;
    seq[row] = own;
    kind[row] = ROW_KINDS.indexOf(kindOf(event));
    for (let edge = offsets[row] ?? 0; edge < (offsets[row + 1] ?? 0); edge++) {
      if ((targets[edge] ?? 0) < 0) hasGap[row] = 1;
    }
  }
  return {
    size,
    ids: packed(pdus, ({ eventId }) => eventId),
    shorts: packed(pdus, ({ eventId }, row) => shortOf(run, row, eventId)),
    labels: packed(
      pdus,
      ({ event, eventId, name }) => annotations.label(name ?? eventId) ?? labelOf(event),
    ),
    senders: packed(pdus, ({ event }) => senderOf(event.sender)),
    server,
    time,
    seq,
    kind,
    hasGap,
  };
}

/** Undefined where there is no such row. */
export function rowAt(columns: RowColumns, row: number): RowView | undefined {
  if (row < 0 || row >= columns.size) return undefined;
  return {
    id: textAt(columns.ids, row),
    short: textAt(columns.shorts, row),
    label: textAt(columns.labels, row),
    sender: textAt(columns.senders, row),
    server: columns.server[row] ?? 0,
    time: columns.time[row] ?? 0,
    seq: columns.seq[row] ?? 0,
    kind: ROW_KINDS[columns.kind[row] ?? 0] ?? "message",
    hasGap: columns.hasGap[row] === 1,
  };
}

/** The first row with this id, or name in a scenario; -1 where there is none. */
export function rowNamed({ ids, shorts, size }: RowColumns, name: string): number {
  for (let row = 0; row < size; row++) {
    if (isTextAt(ids, row, name) || isTextAt(shorts, row, name)) return row;
  }
  return -1;
}

export function textAt({ all, ends }: Texts, row: number): string {
  return all.slice(row === 0 ? 0 : ends[row - 1], ends[row]);
}

function isTextAt({ all, ends }: Texts, row: number, text: string): boolean {
  const from = row === 0 ? 0 : (ends[row - 1] ?? 0);
  return (ends[row] ?? 0) - from === text.length && all.startsWith(text, from);
}
