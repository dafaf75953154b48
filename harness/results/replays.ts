/** Recordings of failed checks, and the pages that show them: what reports link to. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { Evidence } from "./outcome.ts";

/** Within the run directory. */
export const PAGES = path.join("replay", "pages.json");

export interface ReplayPage {
  /** File; absent where there is none. */
  readonly page?: string;
  /** What its address has behind the file, to open it at the failure: `#at=…`. */
  readonly fragment?: string;
  /** Why there is no page, or no recording. */
  readonly note?: string;
}

/** By recording. */
export type ReplayPages = ReadonlyMap<string, ReplayPage>;

const schema = z.record(
  z.string(),
  z.object({
    page: z.string().optional(),
    fragment: z.string().optional(),
    note: z.string().optional(),
  }),
);

/** Of a run directory; empty where it has none, or nothing that can be read: reports do without. */
export function readPages(folder: string): ReplayPages {
  const file = path.join(folder, PAGES);
  if (!existsSync(file)) return new Map();
  try {
    const pages = schema.parse(JSON.parse(readFileSync(file, "utf8")));
    return new Map(Object.entries(pages) as [string, ReplayPage][]);
  } catch {
    return new Map();
  }
}

/** With paths of files as seen from here, rather than from the run directory. */
export function pagesIn(folder: string, pages: ReplayPages): ReplayPages {
  return new Map(
    [...pages].map(([file, { page, ...rest }]) => [
      path.join(folder, file),
      { ...rest, ...(page === undefined ? {} : { page: path.join(folder, page) }) },
    ]),
  );
}

/** The same for what failed checks saw. */
export function evidenceIn(folder: string, evidence: readonly Evidence[]): readonly Evidence[] {
  const within = (file: string) => path.join(folder, file);
  return evidence.map((one) => ({
    ...one,
    ...(one.replay === undefined ? {} : { replay: within(one.replay) }),
    ...(one.picture === undefined ? {} : { picture: within(one.picture) }),
  }));
}
