/** Format C: a replay of this harness (docs/replay-format.md), a journal of chaos among them. */
import { isObject, type JsonObject } from "#protocol/events/event";
import type { Problem } from "#tardis/model/problem";
import { type Draft, type Input, isCreate, type Part } from "./part.ts";

export function readReplay({ items, problems: unread }: Input): Part {
  const problems: Problem[] = [...unread];
  const drafts: Draft[] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const { place, value } of items) {
    if (!isObject(value) || typeof value.t !== "string") {
      problems.push({ ...place, field: "t", what: "no text" });
      continue;
    }
    const { seq, at } = value;
    if (typeof seq !== "number" || seq <= before) {
      const field = "seq";
      problems.push({ ...place, field, what: "is not above that of the line before; lines count" });
    } else {
      before = seq;
    }
    drafts.push({ place, at: typeof at === "number" ? at : undefined, body: value });
  }
  return {
    format: "replay",
    isOrdered: true,
    versions: new Map(drafts.flatMap(({ body }) => versionsIn(body))),
    creates: drafts.map(({ body }) => withId(body)).filter(isCreate),
    problems,
    tell: () => ({ drafts, problems: [] }),
  };
}

/** A journal names the versions of its rooms where it tells who is who. */
function versionsIn(body: JsonObject): readonly (readonly [string, string])[] {
  const { t, room_version: every, room_versions: byRoom, versions } = body;
  if (t !== "meta" && t !== "cast") return [];
  const named = t === "meta" ? byRoom : versions;
  const own = Object.entries(isObject(named) ? named : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return typeof every === "string" ? [["*", every], ...own] : own;
}

function withId({ t, pdu, event_id: id }: JsonObject): JsonObject | undefined {
  if (t !== "pdu" || !isCreate(pdu)) return undefined;
  return id === undefined ? pdu : { ...pdu, event_id: id };
}
