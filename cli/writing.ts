/** Writing to a place that somebody named. */
import { mkdirSync } from "node:fs";
import { describe, HarnessError } from "#harness/errors";

/**
 * @param what as it is called, with the place
 * @param next what to name instead
 * @throws HarnessError BAD_FILE
 */
export function writing<T>(what: string, next: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${what} can not be written`,
      facts: [describe(cause)],
      next,
      cause,
    });
  }
}

/** A folder to write into, with those above it. @param next as above @throws HarnessError BAD_FILE */
export function makeFolder(folder: string, next = "name another folder with --out"): void {
  writing(folder, next, () => mkdirSync(folder, { recursive: true }));
}
