/** Properties whose smallest counterexample is kept as a file that the viewer opens, with what makes it again. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import type { JsonObject } from "#protocol/events/event";

/** Ignored by git. */
const FOLDER = ".runs/counterexamples";

/** As it stands in `meta` of the file. */
export type Origin = JsonObject & {
  readonly property: string;
  readonly seed: number;
  /** `path` of fast-check: with the seed, it leads to the counterexample at once. */
  readonly path: string;
};

export interface Keeping {
  /** Of the file, with its ending: `edited-rooms.json5`. */
  readonly file: string;
  /** Unless given, `.runs/counterexamples` where it runs. */
  readonly folder?: string;
  /** The file's text. It is asked for once, of what failed last, which is the smallest that did. */
  readonly tell: (origin: Origin) => string;
}

/**
 * Runs a property as fc.assert does.
 *
 * @param parameters a seed and path of a file run its counterexample again
 * @throws Error as fc.assert does, with where the counterexample is
 */
export async function holdsOrKeeps<Values>(
  name: string,
  property: fc.IRawProperty<Values>,
  parameters: fc.Parameters<Values>,
  { file, folder = FOLDER, tell }: Keeping,
): Promise<void> {
  const details = await fc.check(property, parameters);
  const { failed, seed, counterexamplePath, errorInstance } = details;
  if (!failed) return;
  const report = await fc.asyncDefaultReportMessage(details);
  // Too many values were passed over: there is none that fails.
  if (counterexamplePath === null) throw new Error(report);
  const kept = path.join(folder, file);
  mkdirSync(folder, { recursive: true });
  writeFileSync(kept, tell({ property: name, seed, path: counterexamplePath }));
  throw new Error(`${report ?? name}\nkept: crucible tardis serve ${kept}`, {
    cause: errorInstance,
  });
}
