/** The file from which a stopped bounded-exhaustive search goes on. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, HarnessError } from "#harness/errors";
import type { ExhaustiveProgress } from "./search-exhaustively.ts";

const FORMAT = "crucible-exhaustive-search/1";

export function progressFile(folder: string, size: number): string {
  return path.join(folder, `exhaustive-${size}.progress`);
}

/** Whole or not at all, whenever the process is killed. */
export function writeProgress(file: string, progress: ExhaustiveProgress): void {
  writeFileSync(`${file}.new`, `${JSON.stringify({ format: FORMAT, ...progress })}\n`);
  renameSync(`${file}.new`, file);
}

/**
 * @returns undefined when there is none
 * @throws HarnessError BAD_FILE
 */
export function readProgress(file: string): ExhaustiveProgress | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { format, ...progress } = JSON.parse(readFileSync(file, "utf8"));
    if (format !== FORMAT) throw new Error(`its format is not ${FORMAT}`);
    return progress;
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the search can not go on from ${file}`,
      facts: [describe(cause)],
      next: "begin anew, without --resume",
      cause,
    });
  }
}
