/**
 * Errors, by whose trouble they are.
 *
 * `HarnessError` is ours or the environment's, `CheckFailure` is the server's, `Unsupported` is nobody's. The three
 * classes never inherit from each other, so that one can not be taken for another.
 */

/** Stable codes of trouble that is not the server's verdict. Callers branch on them, docs list them. */
export type HarnessErrorCode =
  | "BAD_USAGE"
  | "BAD_CONFIG"
  | "BAD_FILE"
  | "NO_JAVA"
  | "NO_PYTHON"
  | "NO_DOCKER"
  | "NO_IMAGE"
  | "NO_CLUSTER"
  | "NO_SPACE"
  | "INSTALL_FAILED"
  | "HS_DID_NOT_START"
  | "HS_DIED"
  | "HS_NO_ANSWER"
  | "SERVICE_DIED"
  | "NO_ROUTE"
  | "NOTHING_RAN"
  | "DEADLINE"
  | "RULE_NEVER_FIRED"
  | "UNEXPECTED_REQUEST"
  | "UNREAD_PAGE"
  | "INTERRUPTED"
  | "INTERNAL";

export interface HarnessErrorParts {
  /** What happened, one line, lower case. */
  readonly what: string;
  /** The facts, one a line: file and line, log tail, values. */
  readonly facts?: readonly string[];
  /** What the reader should do now. */
  readonly next?: string;
  readonly cause?: unknown;
}

/** Trouble of the harness, its configuration or the machine; never a verdict on a server. */
export class HarnessError extends Error {
  override readonly name = "HarnessError";
  readonly code: HarnessErrorCode;
  readonly what: string;
  readonly facts: readonly string[];
  readonly next: string | undefined;

  constructor(code: HarnessErrorCode, parts: HarnessErrorParts) {
    super(messageOf(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.what = parts.what;
    this.facts = parts.facts ?? [];
    this.next = parts.next;
  }
}

/** The server did something else than the requirement asks. */
export class CheckFailure extends Error {
  override readonly name = "CheckFailure";
  readonly expected: string;
  readonly actual: string;
  /** The exchange that shows it, as scrubbed text. */
  readonly exchange: string | undefined;

  constructor(expected: string, actual: string, exchange?: string) {
    super(`expected ${expected}, got ${actual}`);
    this.expected = expected;
    this.actual = actual;
    this.exchange = exchange;
  }
}

/** The deployment has no such feature: the check does not apply to it. */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
  readonly need: string;

  constructor(need: string, detail?: string) {
    super(detail === undefined ? need : `${need}: ${detail}`);
    this.need = need;
  }
}

function messageOf({ what, facts, next }: HarnessErrorParts): string {
  const lines = [what, ...(facts ?? []).map((fact) => `  ${fact}`)];
  if (next !== undefined) lines.push(`next: ${next}`);
  return lines.join("\n");
}

/** Text of anything thrown, for a log or a reason. */
export function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
