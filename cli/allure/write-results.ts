/** Allure results of stored runs, as a folder or, through allure-commandline, as one HTML file. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { writing } from "#cli/writing";
import type { StoredRun } from "#harness/results/run-directory";
import { type AllureOptions, allureResults } from "#reports/render/allure";
import type { Summary } from "#reports/summarise";
import { singleFile } from "./single-file.ts";
import { undecryptablePages } from "./undecryptable.ts";

/** A page of a room is some MB; a report of hundreds of larger ones opens nowhere. */
const MAX_COPY_BYTES = 8_000_000;

export interface AllureWritten {
  /** What to open or to hand to Allure. */
  readonly place: string;
  readonly results: number;
  /** Pages that are not in it, with the reason. */
  readonly leftOut: readonly string[];
}

/** @param place a folder for results, or the name of an HTML file. @throws HarnessError NO_JAVA, BAD_FILE */
export async function writeAllure(
  place: string,
  summary: Summary,
  runs: readonly StoredRun[],
  options: Pick<AllureOptions, "disclose">,
): Promise<AllureWritten> {
  const pages = await undecryptablePages(summary, runs, options);
  const told = { ...options, undecryptable: pages };
  if (!place.endsWith(".html")) return writeResults(place, summary, runs, told);
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-allure-"));
  try {
    const written = writeResults(path.join(folder, "results"), summary, runs, told);
    await singleFile(path.join(folder, "results"), place);
    return { ...written, place };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeResults(
  folder: string,
  summary: Summary,
  runs: readonly StoredRun[],
  { disclose, undecryptable }: Pick<AllureOptions, "disclose" | "undecryptable">,
): AllureWritten {
  const executor = executorOf(process.env);
  const { texts, copies } = allureResults(summary, {
    disclose,
    undecryptable,
    from: folder,
    startedAt: startOf(runs),
    ...(executor === undefined ? {} : { executor }),
  });
  const leftOut: string[] = [];
  writing(`the results in ${folder}`, "name a folder that can be written", () => {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of texts) writeFileSync(path.join(folder, name), text);
    for (const [name, file] of copies) {
      const why = refusal(file, runs);
      if (why === undefined) copyFileSync(file, path.join(folder, name));
      else {
        leftOut.push(`${file}: ${why}`);
        writeFileSync(path.join(folder, name), `left out: ${why}\n`);
      }
    }
  });
  const results = [...texts.keys()].filter((name) => name.endsWith("-result.json")).length;
  return { place: folder, results, leftOut };
}

/** A run may come from anywhere: only pages that lie in it are handed on. */
function refusal(file: string, runs: readonly StoredRun[]): string | undefined {
  try {
    const real = realpathSync(file);
    const isInside = runs.some(({ path: run }) => {
      const folder = statSync(run).isDirectory() ? run : path.dirname(run);
      return real.startsWith(path.join(realpathSync(folder), "replay") + path.sep);
    });
    if (!isInside || !/\.(?:html|svg)$/.test(real)) return "no page or picture of the run";
    const { size } = statSync(real);
    return size <= MAX_COPY_BYTES ? undefined : `larger than ${MAX_COPY_BYTES / 1e6} MB`;
  } catch {
    return "it is not there";
  }
}

function startOf(runs: readonly StoredRun[]): number {
  const starts = runs.map(({ startedAt }) => Date.parse(startedAt ?? "")).filter(Number.isFinite);
  return starts.length === 0 ? Date.now() : Math.min(...starts);
}

/** https://allurereport.org/docs/how-it-works-executor-file: the job, so that a report leads back to it. */
function executorOf(env: Readonly<Record<string, string | undefined>>) {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_RUN_NUMBER } = env;
  if (GITHUB_RUN_ID !== undefined && GITHUB_REPOSITORY !== undefined) {
    const buildUrl = `${GITHUB_SERVER_URL ?? "https://github.com"}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`;
    const buildName = `${GITHUB_REPOSITORY} #${GITHUB_RUN_NUMBER ?? GITHUB_RUN_ID}`;
    return { name: "GitHub Actions", type: "github", buildName, buildUrl };
  }
  const { CI_JOB_URL, CI_JOB_NAME, CI_PIPELINE_IID } = env;
  if (CI_JOB_URL === undefined) return undefined;
  const buildName = `${CI_JOB_NAME ?? "job"} #${CI_PIPELINE_IID ?? ""}`;
  return { name: "GitLab CI", type: "gitlab", buildName, buildUrl: CI_JOB_URL };
}
