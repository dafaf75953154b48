/** Parsers of setting values. Each takes text from a flag or a variable, or anything that YAML can hold. */
import { didYouMean } from "#harness/suggest";

/** A value that a setting can not have; whoever knows where it came from turns it into a HarnessError. */
export class BadValue extends Error {
  override readonly name = "BadValue";
  /** What can be written instead. */
  readonly next: string;

  constructor(what: string, next: string) {
    super(what);
    this.next = next;
  }
}

/** @throws BadValue */
export interface Parser<Value> {
  (raw: unknown): Value;
  /** All words that it takes, when they are few. */
  readonly known?: readonly string[];
}

/** A directory or file of the host that containers see. */
export interface HostMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly isReadOnly: boolean;
}

export const text: Parser<string> = (raw) => {
  if (typeof raw === "string" && raw !== "") return raw;
  throw new BadValue(`is ${shown(raw)}`, "a text, in quotes where YAML would read something else");
};

export const boolean: Parser<boolean> = (raw) => {
  if (typeof raw === "boolean") return raw;
  if (raw === "1" || raw === "true") return true;
  if (raw === "0" || raw === "false") return false;
  throw new BadValue(`is ${shown(raw)}`, "write true or false");
};

/** Elements of an array stay whole, so that a path in a flag may hold spaces; a single text is divided at spaces. */
export const list: Parser<readonly string[]> = (raw) =>
  Array.isArray(raw) ? raw.map(text) : split(text(raw), /\s+/);

/** Words without spaces or commas, divided at both. */
export const names: Parser<readonly string[]> = (raw) =>
  list(raw).flatMap((part) => split(part, /[\s,]+/));

export function oneOf<const Known extends string>(known: readonly Known[]): Parser<Known> {
  const parse = (raw: unknown) => {
    const word = text(raw);
    const match = known.find((candidate) => candidate.toLowerCase() === word.toLowerCase());
    if (match === undefined) throw new BadValue(`is ${word}`, didYouMean(word, known));
    return match;
  };
  return Object.assign(parse, { known });
}

export function namesOf<const Known extends string>(
  known: readonly Known[],
): Parser<readonly Known[]> {
  const each = oneOf(known);
  return Object.assign((raw: unknown) => names(raw).map(each), { known });
}

export function number(min: number, max: number): Parser<number> {
  return (raw) => {
    const isDecimal = typeof raw === "string" && /^\d+(\.\d+)?$/.test(raw);
    const value = typeof raw === "number" ? raw : isDecimal ? Number(raw) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new BadValue(`is ${shown(raw)}`, `a number from ${min} to ${max}`);
  };
}

export function integer(min: number, max: number): Parser<number> {
  const parse = number(min, max);
  return (raw) => {
    const value = parse(raw);
    if (Number.isInteger(value)) return value;
    throw new BadValue(`is ${shown(raw)}`, `a whole number from ${min} to ${max}`);
  };
}

/** Whole numbers, divided at spaces and commas; ascending, each once. */
export function integers(min: number, max: number): Parser<readonly number[]> {
  const parse = integer(min, max);
  return (raw) => {
    const parts = Array.isArray(raw) ? raw : typeof raw === "number" ? [raw] : names(raw);
    return [...new Set(parts.map(parse))].sort((a, b) => a - b);
  };
}

export const shard: Parser<{ readonly index: number; readonly count: number }> = (raw) => {
  const [, index = 0, count = 0] = (/^(\d+)\/(\d+)$/.exec(String(raw)) ?? []).map(Number);
  if (index >= 1 && index <= count) return { index, count };
  throw new BadValue(`is ${shown(raw)}`, "write i/n, for example 2/4");
};

/** A file name; `none` (in YAML also `false`, on the command line `--no-…`) stands for no file at all. */
export const fileOrNone: Parser<string> = (raw) => (raw === false ? "none" : text(raw));

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  // As `docker run --memory` reads them.
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** A size in bytes: `512M` and `512MiB` are powers of two, `512MB` of ten. */
export const bytes: Parser<number> = (raw) => {
  const [, digits, unit = ""] = /^(\d+) ?([a-z]*)$/i.exec(String(raw).trim()) ?? [];
  const factor = Object.hasOwn(UNITS, unit.toLowerCase()) ? UNITS[unit.toLowerCase()] : undefined;
  if (digits !== undefined && factor !== undefined) return Number(digits) * factor;
  throw new BadValue(`is ${shown(raw)}`, "write a size such as 512MiB or 2GB");
};

/** `host:container[:ro]`, several divided by `;` or as a list. */
export const mounts: Parser<readonly HostMount[]> = (raw) => {
  const parts = Array.isArray(raw) ? raw.map(text) : [text(raw)];
  return parts.flatMap((part) => split(part, /;/)).map(mount);
};

function mount(part: string): HostMount {
  const [hostPath = "", containerPath = "", mode = "", ...rest] = part.split(":");
  const isKnownMode = mode === "" || mode === "ro" || mode === "readonly";
  if (hostPath === "" || !containerPath.startsWith("/") || !isKnownMode || rest.length > 0) {
    throw new BadValue(`is ${shown(part)}`, "write /host/path:/container/path or …:ro");
  }
  return { hostPath, containerPath, isReadOnly: mode !== "" };
}

function split(value: string, at: RegExp): string[] {
  return value.split(at).filter((part) => part !== "");
}

function shown(raw: unknown): string {
  return raw === undefined || raw === null ? "empty" : JSON.stringify(raw);
}
