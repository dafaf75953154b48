/** Marks that turn the direction of writing or hide, and controls that JSON leaves as they are. */
const MARKS = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]/g;

/** The same JSON with such characters as escapes: these files are looked at in terminals and in reviews, and quote servers. */
export function withoutMarks(json: string): string {
  return json.replace(MARKS, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A value as one such line, without its end. */
export function jsonLine(value: unknown): string {
  return withoutMarks(JSON.stringify(value));
}

/** The value of such a text; null for what is no JSON, which no schema takes. */
export function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
