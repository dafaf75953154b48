/** Files of any format, made into one run: events are merged by their ids, records by their times. */
import type { JsonObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { buildRun } from "#tardis/model/build";
import type { Problem } from "#tardis/model/problem";
import type { NumberedRecord, Run } from "#tardis/model/run";
import { recognise } from "./detect.ts";
import { readLink } from "./link.ts";
import { type Draft, Known, type Part } from "./part.ts";

export interface FileText {
  /** For messages. */
  readonly name: string;
  /** What is in it; or a link. */
  readonly text: string;
}

export interface LoadOptions {
  /** Of rooms whose version the files do not tell. */
  readonly version?: RoomVersion | undefined;
}

/**
 * The same files give the same run, whenever and wherever they are loaded.
 *
 * @throws RunError when nothing can be used, or there is too much
 */
export async function loadRun(
  files: readonly FileText[],
  { version }: LoadOptions = {},
): Promise<Run> {
  const parts: Part[] = [];
  for (const { name, text } of files) {
    parts.push(recognise(name, (await readLink(text, name)) ?? text, version));
  }
  const known = new Known(parts, version);
  const told = parts.map((part) => ({ part, ...part.tell(known) }));
  const problems: readonly Problem[] = told.flatMap(({ part, problems }) => [
    ...part.problems,
    ...problems,
  ]);
  const drafts = told.map(({ drafts }) => drafts);
  const [only, ...others] = drafts;
  const records = only !== undefined && others.length === 0 ? only : merged(withoutMetas(drafts));
  return buildRun(numbered(records), problems, {
    versionOf: (pdu) => known.versionOf(pdu),
    isOrdered: told
      .filter(({ drafts }) => drafts.some(({ body }) => body.t === "pdu"))
      .every(({ part }) => part.isOrdered),
    name: files.map(({ name }) => name).join(", "),
  });
}

/** One record says what a run is: that of the first file, with what others add. */
function withoutMetas(parts: readonly (readonly Draft[])[]): readonly (readonly Draft[])[] {
  const metas = parts.flat().filter(({ body }) => body.t === "meta");
  const [first] = metas;
  if (first === undefined) return parts;
  const body: JsonObject = Object.assign({}, ...metas.map(({ body }) => body).toReversed());
  const rest = parts.map((drafts) => drafts.filter((draft) => draft.body.t !== "meta"));
  return [[{ ...first, at: undefined, body }], ...rest];
}

/** By time, each file in its own order; what has no time goes with what was before it in its file. */
function merged(parts: readonly (readonly Draft[])[]): readonly Draft[] {
  const timed = parts.flatMap((drafts, part) => {
    let time = Number.NEGATIVE_INFINITY;
    return drafts.map((draft) => {
      time = Math.max(time, draft.at ?? time);
      return { draft, time, part };
    });
  });
  return timed.sort((a, b) => compare(a.time, b.time) || a.part - b.part).map(({ draft }) => draft);
}

/** Also of infinities, whose difference is no number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** With numbers that rise: their own where they do, else from 1 on. */
function numbered(drafts: readonly Draft[]): readonly NumberedRecord[] {
  const own = drafts.map(({ body }) => body.seq);
  const isRising = own.every(
    (seq, at) => typeof seq === "number" && (at === 0 || seq > Number(own[at - 1])),
  );
  let before = 0;
  return drafts.map(({ at, place, body }, index) => {
    before = at ?? stampOf(body) ?? before;
    return { seq: isRising ? Number(own[index]) : index + 1, at: before, place, body };
  });
}

/** When an event says that it was made: better than nothing. */
function stampOf({ t, pdu }: JsonObject): number | undefined {
  const stamp = t === "pdu" ? (pdu as JsonObject | null)?.origin_server_ts : undefined;
  return typeof stamp === "number" && Number.isSafeInteger(stamp) ? stamp : undefined;
}
