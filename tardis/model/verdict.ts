/** What a checker of a chaos run says in a journal, as a step that failed or is open; a pass is no news. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";

export interface CheckerStep {
  readonly name: string;
  readonly isOk: false | null;
  readonly message: string;
  /** Event ids. */
  readonly events: readonly string[];
  /** Room ids. */
  readonly rooms: readonly string[];
}

/** @param body of a record `verdict` */
export function checkerStep({ checker, outcome, findings }: JsonObject): CheckerStep | undefined {
  if (outcome === "pass" || outcome === "skip") return undefined;
  const found = (Array.isArray(findings) ? findings : []).filter(isObject);
  const own = found.filter((finding) => finding.outcome === outcome);
  return {
    name: `${textOf(checker)}: ${textOf(outcome)}`,
    isOk: outcome === "fail" ? false : null,
    message: own.map(({ what }) => textOf(what)).join("; "),
    events: own.flatMap(({ events }) => (Array.isArray(events) ? events : []).map(textOf)),
    rooms: own.flatMap(({ room }) => (typeof room === "string" ? room : [])),
  };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
