/** How long it takes in calls until one is heard, and until one is silent: of a run, from what its checks noted. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

/** In the order in which reports show them. */
export const CALL_FIGURES = ["join to first audio", "leave to silent"] as const;

export interface CallFigure {
  readonly name: (typeof CALL_FIGURES)[number];
  /** In which check, and where the two members have their accounts. */
  readonly subject: string;
  /** Milliseconds, one for each time and listener. */
  readonly values: readonly number[];
}

/** Within the run directory. */
export const CALLS = "calls.json";

const schema = z.object({
  figures: z.array(
    z.object({
      name: z.enum(CALL_FIGURES),
      subject: z.string(),
      values: z.array(z.number().nonnegative().finite()),
    }),
  ),
});

/** Of a run directory; none where it has none, or nothing that can be read: no verdict stands on them. */
export function readCallFigures(folder: string): readonly CallFigure[] {
  const file = path.join(folder, CALLS);
  if (!existsSync(file)) return [];
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8"))).figures;
  } catch {
    return [];
  }
}

/** Values of the same thing together. */
export function mergedFigures(figures: readonly CallFigure[]): readonly CallFigure[] {
  const groups = Map.groupBy(
    figures,
    ({ name, subject }) => `${CALL_FIGURES.indexOf(name)} ${subject}`,
  );
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, own]) => {
      const [first] = own;
      return first === undefined ? [] : [{ ...first, values: own.flatMap(({ values }) => values) }];
    });
}
