/** What could not be read, and where: never a reason to lose the rest. */
import { describe } from "#harness/errors";

export interface Place {
  readonly file: string;
  /** From 1; absent where the text has no lines to speak of. */
  readonly line?: number | undefined;
  /** Path of keys, as `events[3].prev_events[0]`. */
  readonly field?: string | undefined;
}

export interface Problem extends Place {
  readonly what: string;
}

/** `file:line: field: what`. */
export function problemText({ file, line, field, what }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return field === undefined ? `${place}: ${what}` : `${place}: ${field}: ${what}`;
}

/** Nothing of the files can be used. The message begins with the place. */
export class RunError extends Error {
  override readonly name = "RunError";

  constructor(problem: Problem) {
    super(problemText(problem));
  }
}

/** A problem made of anything that a reader threw; paths of event errors become the field. */
export function problemOf(place: Place, thrown: unknown): Problem {
  const what = describe(thrown);
  const [, said, path] = /^(.*) at \$\.?(.*)$/s.exec(what) ?? [];
  if (said === undefined || path === undefined) return { ...place, what };
  const field = [place.field, path].filter((part) => part !== undefined && part !== "");
  return { ...place, ...(field.length > 0 ? { field: field.join(".") } : {}), what: said };
}
