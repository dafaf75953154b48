/** Pictures of calls beside the replays of their checks: drawn when the traces are whole. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe } from "#harness/errors";
import type { CheckResult, Evidence } from "#harness/results/outcome";

/** For who owns the run alone: sensitive failures are among them. */
const MODE = 0o600;

export interface CallPicturesOptions {
  /** Run directory. */
  readonly folder: string;
  readonly onProblem: (line: string) => void;
}

export class CallPictures implements AsyncDisposable {
  readonly #options: CallPicturesOptions;
  readonly #wanted: (readonly [CheckResult, Evidence])[] = [];

  constructor(options: CallPicturesOptions) {
    this.#options = options;
  }

  /** @param evidence names the file to be */
  add(result: CheckResult, evidence: Evidence): void {
    this.#wanted.push([result, evidence]);
  }

  /** Never throws: what failed has failed whether it can be drawn or not. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#wanted.length === 0) return;
    const { folder, onProblem } = this.#options;
    try {
      // A run without calls needs none of it.
      const { drawCalls } = await import("#cli/calls/draw");
      mkdirSync(path.join(folder, "replay"), { recursive: true });
      const records = this.#wanted.map(([, { call }]) => call);
      const drawn = await drawCalls(folder, records);
      for (const [at, [result, { picture }]] of this.#wanted.entries()) {
        const svg = drawn[at]?.picture(result);
        if (picture === undefined || svg === undefined) continue;
        writeFileSync(path.join(folder, picture), svg, { mode: MODE });
      }
    } catch (error) {
      onProblem(`pictures of calls are missing: ${describe(error)}`);
    }
  }
}
