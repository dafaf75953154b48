/** A conformance site of many checks and deployments: written, and in Chromium opened, narrowed and scrolled, beside targets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { remark } from "#cli/io";
import { manyRuns } from "#cli/site/runs-for-specs";
import { writeSite } from "#cli/site/write-site";
import { CHROMIUM, launch, ready, WHY_SKIPPED, watched } from "#cli/tardis/browser/chromium";
import { quantile } from "#harness/results/measurement";
import type { Figure } from "./figure.ts";
import { PageWatch } from "./page-watch.ts";

const CHECKS = 5_000;
const DEPLOYMENTS = 20;
const FRAMES = 120;
const KEYSTROKES = ["r", "ru", "rul", "rule-1", "level:must", "outcome:fail", ""];

export async function benchSite(): Promise<readonly Figure[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-bench-"));
  const figures: Figure[] = [];
  const add = (name: string, value: number, unit: Figure["unit"], target?: number) =>
    figures.push({
      name: `site, ${CHECKS} x ${DEPLOYMENTS}: ${name}`,
      value,
      unit,
      ...(target === undefined ? {} : { peer: { name: "target", value: target } }),
    });
  try {
    const run = manyRuns(path.join(folder, "run"), CHECKS, DEPLOYMENTS);
    const site = path.join(folder, "site");
    const begun = performance.now();
    const { bytes } = await writeSite(site, [run], { disclose: false });
    add("written", performance.now() - begun, "ms", 20_000);
    add("application", bytes.application / 1_000, "kB", 100);
    add("matrix", bytes.matrix / 1_000, "kB", 2_000);
    add("details", bytes.details / 1e6, "MB");
    if (CHROMIUM === undefined) remark(`the page is not measured: ${WHY_SKIPPED}`);
    else await inBrowser(pathToFileURL(path.join(site, "index.html")).href, add);
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inBrowser(
  url: string,
  add: (name: string, value: number, unit: Figure["unit"], target?: number) => void,
): Promise<void> {
  const browser = await launch();
  try {
    await using view = await watched(browser);
    const { page } = view;
    page.setDefaultTimeout(120_000);
    const begun = performance.now();
    await page.goto(url);
    await ready(page);
    await page.waitForSelector(".row .cell");
    add("opened to rows in sight", performance.now() - begun, "ms", 1_000);
    const watch = await PageWatch.of(page);
    const strokes: number[] = [];
    for (const text of KEYSTROKES) {
      const type = `{
        const field = document.querySelector("#filter");
        field.value = ${JSON.stringify(text)} + (at % 2 === 0 ? "" : " ");
        field.dispatchEvent(new Event("input"));
      }`;
      strokes.push(await watch.picture(3, type));
    }
    add("keystroke in the filter to its picture, longest", Math.max(...strokes), "ms", 50);
    for (const [what, by] of [
      ["scroll", 60],
      ["scroll by screens", 800],
    ] as const) {
      const act = `document.querySelector("#main").scrollTop += ${by}`;
      const { times, scriptMs } = await watch.frames(FRAMES, act);
      add(`${what}, p95 of frames`, quantile(times, 0.95), "ms", 17);
      add(`${what}, script a frame`, scriptMs, "ms", 8);
    }
    const opened = performance.now();
    await page.evaluate("location.hash = document.querySelector('.row .id').hash");
    await page.waitForSelector("section.on");
    add("a requirement opened", performance.now() - opened, "ms", 300);
  } finally {
    await browser.close();
  }
}
