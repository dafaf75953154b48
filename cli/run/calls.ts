/** Pictures of calls beside the replays of their checks, and how fast calls were: made when the traces are whole. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe } from "#harness/errors";
import { type CallFigure, mergedFigures } from "#harness/results/call-figures";
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
  /** Known once all is drawn. */
  #figures: readonly CallFigure[] = [];

  constructor(options: CallPicturesOptions) {
    this.#options = options;
  }

  get figures(): readonly CallFigure[] {
    return this.#figures;
  }

  /** @param evidence names the file to be; of a check without one it is only looked at what was heard */
  add(result: CheckResult, evidence: Evidence): void {
    const hasHeard = evidence.call?.notes.some(({ what }) => what === "heard") === true;
    if (evidence.picture !== undefined || hasHeard) this.#wanted.push([result, evidence]);
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
      // What comes late by one check's story may be soon by another's.
      this.#figures = mergedFigures(
        this.#wanted.flatMap(([{ requirement }], at) =>
          (drawn[at]?.figures() ?? []).map(({ subject, ...one }) => ({
            ...one,
            subject: `${requirement}, ${subject}`,
          })),
        ),
      );
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
