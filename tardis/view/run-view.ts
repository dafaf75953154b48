/** What a recording has beside events: steps with what they found, exchanges, notes; those about a moment. */
import { isObject, type JsonValue } from "#protocol/events/event";
import { shown, visible } from "#tardis/explain/shown";
import { writeJson } from "#tardis/model/json";
import type { NumberedRecord, Run } from "#tardis/model/run";
import { checkerStep } from "#tardis/model/verdict";
import type { EventLink, Happening, RunView } from "./messages.ts";
import { rowOfRecord } from "./moments.ts";
import { shortOf } from "./short.ts";

/** Of each kind, before the moment and after it. */
const MOST_AROUND = 60;
const MOST_LINKS = 20;
const MOST_LETTERS = 4_000;

const KINDS: Readonly<Record<keyof RunView, ReadonlySet<JsonValue | undefined>>> = {
  steps: new Set(["step"]),
  exchanges: new Set(["http"]),
  notes: new Set(["note"]),
};

export function runView(run: Run, row: number, rowOf: (id: string) => number): RunView {
  const told = run.records.flatMap(asStep);
  const around = (kind: keyof RunView): RunView[typeof kind] => {
    const records = told.filter(({ body }) => KINDS[kind].has(body.t));
    const now = records.findIndex(({ seq }) => rowOfRecord(run, seq) > row);
    const middle = now < 0 ? records.length : now;
    const from = Math.max(0, middle - MOST_AROUND);
    const to = Math.min(records.length, middle + MOST_AROUND);
    return {
      items: records.slice(from, to).map((record) => happening(run, record, rowOf)),
      earlier: from,
      later: records.length - to,
    };
  };
  return { steps: around("steps"), exchanges: around("exchanges"), notes: around("notes") };
}

/** What a checker found is a step of the run; records of other kinds stay what they are. */
function asStep(record: NumberedRecord): readonly NumberedRecord[] {
  if (record.body.t !== "verdict") return [record];
  const step = checkerStep(record.body);
  if (step === undefined) return [];
  const { name, isOk: ok, message, events } = step;
  return [{ ...record, body: { t: "step", name, ok, message, events: [...events] } }];
}

function happening(
  run: Run,
  { seq, at, body }: NumberedRecord,
  rowOf: (id: string) => number,
): Happening {
  const { ok, blocked, status } = body;
  const isBad = ok === false || blocked === true || (typeof status === "number" && status >= 400);
  const ids = Array.isArray(body.events) ? body.events : [body.event_id];
  const events = ids.filter((id) => typeof id === "string").slice(0, MOST_LINKS);
  return {
    row: Math.max(0, Math.floor(rowOfRecord(run, seq))),
    time: at,
    text: textOf(body),
    isOk: isBad ? false : ok === true || typeof status === "number" ? true : null,
    events: events.map((id): EventLink => {
      const there = rowOf(id);
      return { row: there, text: shortOf(run, there, id) };
    }),
    bodies: (["request", "response"] as const).flatMap((title) => {
      const value = body[title];
      return value === undefined ? [] : [{ title, text: jsonText(value) }];
    }),
  };
}

function textOf({
  t,
  name,
  message,
  text,
  from,
  to,
  method,
  path,
  status,
  ms,
  blocked,
}: NumberedRecord["body"]): string {
  const say = (value: JsonValue | undefined) =>
    value === undefined || value === null
      ? ""
      : shown(isObject(value) ? writeJson(value) : String(value));
  switch (t) {
    case "step":
      return message === undefined ? say(name) : `${say(name)}: ${say(message)}`;
    case "note":
      return say(text);
    default: {
      const took = typeof ms === "number" ? ` in ${ms} ms` : "";
      const answer = blocked === true ? `blocked ${say(status)}` : `${say(status)}${took}`;
      return `${say(from)} → ${say(to)} ${say(method)} ${say(path)} ${answer}`.trimEnd();
    }
  }
}

function jsonText(value: JsonValue): string {
  const text = typeof value === "string" ? value : writeJson(value);
  const more = text.length - MOST_LETTERS;
  const cut =
    more > 0 ? `${text.slice(0, MOST_LETTERS).toWellFormed()} … and ${more} letters` : text;
  return visible(cut);
}
