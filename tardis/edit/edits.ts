/**
 * Edits of a run as data. A list of them is a branch of what happened; an address or a command line holds it as JSON. Events
 * go by their ids in the original run, or their names in a scenario, and copies by the id that their edit gives them, whatever
 * ids they come to have.
 */
import { describe } from "#harness/errors";
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { isDeep, parseJson, writeJson } from "#tardis/model/json";
import { RunError } from "#tardis/model/problem";

export type Edit =
  /** `time` in milliseconds since 1970, as its sender claims. */
  | { readonly kind: "time"; readonly event: string; readonly time: number }
  /** Of its sender, in the power levels that it cites. */
  | { readonly kind: "level"; readonly event: string; readonly level: number }
  | { readonly kind: "content"; readonly event: string; readonly content: JsonObject }
  /** What it follows. */
  | { readonly kind: "parents"; readonly event: string; readonly parents: readonly string[] }
  /** As if it never had been: what followed it follows what it followed. */
  | { readonly kind: "drop"; readonly event: string }
  /** The same again, a millisecond later: what follows it follows both. */
  | { readonly kind: "copy"; readonly event: string; readonly copy: string }
  /** It, and what it follows, come to a server before another event does. */
  | {
      readonly kind: "deliver";
      readonly event: string;
      readonly server: string;
      readonly before: string;
    }
  /** Events that the original is without as well: what shrinking has left out. */
  | { readonly kind: "without"; readonly events: readonly string[] };

export type EditKind = Edit["kind"];

type Shape = "text" | "integer" | "object" | "texts";

const SHAPES: Readonly<Record<EditKind, Readonly<Record<string, Shape>>>> = {
  time: { event: "text", time: "integer" },
  level: { event: "text", level: "integer" },
  content: { event: "text", content: "object" },
  parents: { event: "text", parents: "texts" },
  drop: { event: "text" },
  copy: { event: "text", copy: "text" },
  deliver: { event: "text", server: "text", before: "text" },
  without: { events: "texts" },
};

const MEETS: Readonly<Record<Shape, (value: JsonValue | undefined) => boolean>> = {
  text: (value) => typeof value === "string" && value !== "",
  integer: (value) => Number.isSafeInteger(value),
  object: (value) => isObject(value) && !isDeep(value),
  texts: (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
};
const WANTED: Readonly<Record<Shape, string>> = {
  text: "no text",
  integer: "no whole number",
  object: "no object, or one with too many levels",
  texts: "no list of texts",
};

/** What no person and no shrinking makes. */
const MAX_EDITS = 1_000;

/**
 * Edits as writeEdits writes them; none in an empty text.
 *
 * @throws RunError that tells the place
 */
export function readEdits(text: string): readonly Edit[] {
  if (text === "") return [];
  const refuse = (what: string, field?: string) => new RunError({ file: "edits", field, what });
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw refuse(describe(error));
  }
  if (!Array.isArray(value)) throw refuse("no list");
  if (value.length > MAX_EDITS) throw refuse(`more than ${MAX_EDITS}`);
  return value.map((edit: unknown, at): Edit => {
    if (!isObject(edit)) throw refuse("no object", `[${at}]`);
    const shape = isKind(edit.kind) ? SHAPES[edit.kind] : undefined;
    if (shape === undefined) {
      throw refuse(`is none of ${Object.keys(SHAPES).join(", ")}`, `[${at}].kind`);
    }
    for (const [key, wanted] of Object.entries(shape)) {
      if (!MEETS[wanted](edit[key])) throw refuse(WANTED[wanted], `[${at}].${key}`);
    }
    return edit as unknown as Edit;
  });
}

/** Empty for none. */
export function writeEdits(edits: readonly Edit[]): string {
  return edits.length === 0 ? "" : writeJson(edits);
}

function isKind(kind: JsonValue | undefined): kind is EditKind {
  return typeof kind === "string" && Object.hasOwn(SHAPES, kind);
}

/** The same with others in the place of events; a copy is called what its edit says. */
export function renamed(edit: Edit, nameOf: (id: string) => string): Edit {
  switch (edit.kind) {
    case "parents":
      return { ...edit, event: nameOf(edit.event), parents: edit.parents.map(nameOf) };
    case "deliver":
      return { ...edit, event: nameOf(edit.event), before: nameOf(edit.before) };
    case "without":
      return { ...edit, events: edit.events.map(nameOf) };
    default:
      return { ...edit, event: nameOf(edit.event) };
  }
}

/** Events that an edit names. */
export function namedIn(edit: Edit): readonly string[] {
  switch (edit.kind) {
    case "parents":
      return [edit.event, ...edit.parents];
    case "deliver":
      return [edit.event, edit.before];
    case "without":
      return edit.events;
    default:
      return [edit.event];
  }
}
