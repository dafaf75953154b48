/** Errors as the command shows them, and the exit codes that it ends with because of them. */
import { CommanderError } from "commander";
import { describe, HarnessError, type HarnessErrorCode } from "#harness/errors";
import { tame } from "#reports/finding";

/** 0 as expected, 1 regressions, 2 usage or configuration, 3 infrastructure, 4 nothing ran, 130 interrupted. */
const EXIT_CODES: Readonly<Partial<Record<HarnessErrorCode, number>>> = {
  BAD_USAGE: 2,
  BAD_CONFIG: 2,
  BAD_FILE: 2,
  NOTHING_RAN: 4,
  INTERRUPTED: 130,
};

/** A chain of causes that is longer, or has a circle, says no more. */
const MAX_CAUSES = 5;

let areStacksShown = false;

/** From now on every error is shown with its stack and its causes. */
export function showStacks(): void {
  areStacksShown = true;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof HarnessError) return EXIT_CODES[error.code] ?? 3;
  return 3;
}

/** All that a reader needs, harmless on a terminal: messages quote servers. An error that nobody foresaw has its stack. */
export function troubleText(error: unknown): string {
  const isForeseen = error instanceof HarnessError;
  const text = isForeseen ? error.message : `crucible itself failed: ${describe(error)}`;
  const stacks = areStacksShown || !isForeseen ? stacksOf(error) : [];
  return [...text.split("\n"), ...stacks].map(tame).join("\n");
}

function stacksOf(error: unknown): string[] {
  const lines: string[] = [];
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    if (depth > 0) lines.push(`caused by ${current.name}: ${current.message}`);
    const frames = (current.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
    lines.push(...frames);
    current = current.cause;
  }
  return lines;
}
