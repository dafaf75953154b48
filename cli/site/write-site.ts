/** `crucible report --site`: stored runs as a folder that any browser opens, and that needs nothing else. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { HarnessError } from "#harness/errors";
import { type Catalogue, loadCatalogue, PROJECT_ROOT } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import type { Evidence } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { tameLine } from "#reports/finding";
import { laterRuns, mergeRuns } from "#reports/merge";
import { CHUNK, type SiteIndex, type SitePair } from "#reports/site/data";
import { dataScript } from "#reports/site/script";
import { type KnownCheck, siteData } from "#reports/site/site-data";
import { summarise } from "#reports/summarise";
import { siteAssets } from "./assets.ts";
import { Exchanges } from "./exchanges.ts";
import { folderOf, plotsOf } from "./measured.ts";
import { pairsLeftOut, pairsOf } from "./pairs.ts";
import { CopiedReplays } from "./replays.ts";

export interface SiteOptions {
  readonly disclose: boolean;
  /** As in the runs unless given. */
  readonly strict?: true;
  /** Folders of `crucible chaos`, which have recoveries and no results of checks. */
  readonly chaosRuns?: readonly string[];
}

export interface WrittenSite {
  readonly files: number;
  /** Bytes by what they are of. */
  readonly bytes: {
    readonly application: number;
    /** What has to be read before the matrix is shown. */
    readonly matrix: number;
    readonly details: number;
    readonly comparisons: number;
    readonly replays: number;
  };
  readonly leftOut: readonly string[];
}

/** Says that a folder is a site, which the next one may replace. */
const MARK = "crucible-site.json";
const OWN = ["index.html", "site.js", "data", "replay", MARK];

/** @throws HarnessError BAD_USAGE for a folder that holds something else, BAD_FILE where it can not be written. */
export async function writeSite(
  folder: string,
  runs: readonly StoredRun[],
  options: SiteOptions,
): Promise<WrittenSite> {
  const [assets, catalogue, checks] = await Promise.all([
    siteAssets(),
    loadCatalogue(),
    knownChecks(),
  ]);
  emptied(folder);
  const { disclose } = options;
  const folders = runs.map(({ path }) => folderOf(path));
  const exchanges = await exchangesOf(runs, folders, catalogue, disclose);
  const merged = mergeRuns(runs);
  const summary = summarise({
    ...merged,
    requirements: catalogue.byId,
    strict: options.strict ?? merged.strict,
  });
  const rendering = { disclose, from: folder };
  const replays = new CopiedReplays(folder, folders);
  replays.copy(
    summary.groups.flatMap(({ findings }) => findings),
    rendering,
  );
  const data = siteData({
    summary,
    headers: runs.flatMap(({ header }) => header ?? []),
    again: laterRuns(merged),
    checks,
    pageOf: (finding) => replays.pageOf(finding),
    exchangesOf: (finding) => exchanges.of(finding),
    options: rendering,
  });
  const writer = new Writer(folder);
  // First, so that what is left of one that could not be finished may be replaced.
  writer.write(MARK, `${JSON.stringify({ format: 1 })}\n`);
  const pairs: SitePair[] = [];
  for (const { pair, changes } of pairsOf(runs, { requirements: catalogue.byId, disclose })) {
    pairs.push(pair);
    writer.data(`changes-${pair.before}-${pair.after}`, changes);
  }
  const comparisons = writer.taken();
  for (let at = 0; at < data.details.length; at += CHUNK)
    writer.data(`details-${at / CHUNK}`, data.details.slice(at, at + CHUNK));
  const details = writer.taken();
  const plots = plotsOf(runs, options.chaosRuns ?? []);
  const leftOut = [...exchanges.leftOut, ...pairsLeftOut(runs), ...replays.leftOut];
  const index: SiteIndex = {
    ...data.index,
    runs: runs.map(({ path: run }) => tameLine(path.basename(path.resolve(run)))),
    pairs,
    hasPlots: Object.values(plots).some(({ length }) => length > 0),
    leftOut,
  };
  writer.data("plots", plots);
  writer.data("index", index);
  const matrix = writer.taken();
  for (const [name, text] of Object.entries(assets)) writer.write(name, text);
  const application = writer.taken();
  return {
    files: writer.files + replays.count,
    bytes: { application, matrix, details, comparisons, replays: replays.bytes },
    leftOut,
  };
}

async function exchangesOf(
  runs: readonly StoredRun[],
  folders: readonly string[],
  { byId }: Catalogue,
  disclose: boolean,
): Promise<Exchanges> {
  const exchanges = new Exchanges();
  const isShown = ({ requirement }: Evidence) =>
    disclose || byId.get(requirement)?.sensitive === false;
  for (const [at, run] of runs.entries()) await exchanges.read(run, folders[at] ?? "", isShown);
  return exchanges;
}

async function knownChecks(): Promise<ReadonlyMap<string, readonly KnownCheck[]>> {
  const { byId } = await indexChecks();
  const known = [...byId].map(([id, checks]) => {
    const own = checks.map(({ title, file, line, mutants }) => ({
      title,
      place: `${path.relative(PROJECT_ROOT, file)}:${line}`,
      hasMutant: mutants,
    }));
    return [id, own] as const;
  });
  return new Map(known);
}

/** Writes files, and counts what they hold. */
class Writer {
  files = 0;
  readonly #folder: string;
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(path.join(folder, "data"), { recursive: true });
  }

  data(name: string, value: unknown): void {
    this.write(path.join("data", `${name}.js`), dataScript(name, value));
  }

  write(name: string, text: string): void {
    writeFileSync(path.join(this.#folder, name), text);
    this.files++;
    this.#bytes += Buffer.byteLength(text);
  }

  /** Bytes since the last call. */
  taken(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }
}

/** Makes the folder; of an earlier site nothing is left. */
function emptied(folder: string): void {
  if (existsSync(folder) && !statSync(folder).isDirectory()) throw taken(folder, "it is a file");
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the folder ${folder} can not be made`,
      facts: [String(cause)],
      next: "name a folder that can be written",
      cause,
    });
  }
  const names = readdirSync(folder);
  if (names.length > 0 && !names.includes(MARK)) throw taken(folder, "it holds something else");
  for (const name of OWN) rmSync(path.join(folder, name), { recursive: true, force: true });
}

function taken(folder: string, why: string): HarnessError {
  return new HarnessError("BAD_USAGE", {
    what: `no site can be written to ${folder}: ${why}`,
    next: "name a folder that is new or empty, or the one of an earlier site",
  });
}
