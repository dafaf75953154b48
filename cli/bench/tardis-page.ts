/** What the viewer's page takes in Chromium, on rooms of fixed seeds, each beside its target, and beside what TARDIS took. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { remark } from "#cli/io";
import { CHROMIUM, launch, ready, WHY_SKIPPED, watched } from "#cli/tardis/browser/chromium";
import { pageTemplate, pageWith } from "#cli/tardis/page";
import { quantile } from "#harness/results/measurement";
import { syntheticRoom } from "#tardis/layout/synthetic-room";
import { runPicture } from "#tardis/render/run-picture";
import { svgOf } from "#tardis/render/svg";
import { Session } from "#tardis/view/session";
import type { Figure } from "./figure.ts";
import { PageWatch } from "./page-watch.ts";
import { roomText } from "./synthetic-room-text.ts";

const SEED = 1;
const FRAMES = 120;
const JUMPS = 7;
const STATE_SHARE = 0.2;
/**
 * By events: the target of a file to its first picture, and what TARDIS's own graph took from a step to its picture. The latter
 * was measured on another day on a machine of two slow cores, in headless Chromium; TARDIS was not run with 100,000.
 */
const SIZES: readonly (readonly [events: number, first: number, tardis: number | undefined])[] = [
  [1_000, 1_000, 700],
  [10_000, 1_000, 4_200],
  [100_000, 6_000, undefined],
];
const KEY = (key: string) =>
  `document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "${key}", bubbles: true }))`;

/** What the handle of the strip does, from one end of the room to the other. */
const DRAG = `slider.value = String((slider.max * at) / ${FRAMES}); slider.dispatchEvent(new Event("input"))`;

export async function benchTardisPage(): Promise<readonly Figure[]> {
  if (CHROMIUM === undefined) {
    remark(`the page is not measured: ${WHY_SKIPPED}`);
    return [];
  }
  const template = await pageTemplate();
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-bench-"));
  const browser = await launch();
  try {
    const empty = path.join(folder, "empty.html");
    writeFileSync(empty, pageWith(template, []));
    const figures: Figure[] = [
      {
        name: "page: application, compressed",
        value: gzipSync(template).length / 1_000,
        unit: "kB",
        peer: { name: "target", value: 200 },
      },
    ];
    for (const size of SIZES) {
      const [events] = size;
      const text = roomText(syntheticRoom({ events, servers: 5, seed: SEED }));
      const file = path.join(folder, `${events}.ndjson`);
      writeFileSync(file, text);
      if (events === 10_000) {
        const bytes = Buffer.byteLength(pageWith(template, [{ name: "room.ndjson", text }]));
        const peer = { name: "target", value: 4 };
        figures.push({
          name: "page: one file with 10000 events",
          value: bytes / 1e6,
          unit: "MB",
          peer,
        });
      }
      figures.push(...(await ofSize(browser, empty, file, size)));
    }
    const states = path.join(folder, "states.ndjson");
    writeFileSync(
      states,
      roomText(syntheticRoom({ events: 10_000, servers: 5, seed: SEED }), STATE_SHARE),
    );
    figures.push(...(await ofStates(browser, empty, states)));
    return figures;
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Opens the page, hands it a file, and waits for rows, then for all to be judged. */
async function opened(browser: Browser, empty: string, file: string) {
  const view = await watched(browser);
  const { page } = view;
  page.setDefaultTimeout(120_000);
  await page.goto(pathToFileURL(empty).href);
  // By the clock of the page: from the choice of the file to the frame that has rows, and the longest that it did not answer.
  await page.evaluate(`(() => {
    window.took = { longest: 0 };
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) took.longest = Math.max(took.longest, duration);
    }).observe({ type: "longtask" });
    const begin = () => { took.begun ??= performance.now(); };
    document.querySelector("#file").addEventListener("change", begin, { capture: true });
    new MutationObserver(() => {
      if (took.first === undefined && document.querySelector(".row") !== null)
        took.first = performance.now() - took.begun;
      if (took.judged === undefined && document.documentElement.dataset.ready === "yes")
        took.judged = performance.now() - took.begun;
    }).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
  })()`);
  await page.setInputFiles("#file", file);
  await ready(page);
  const took = await page.evaluate<{ first: number; judged: number; longest: number }>("took");
  return { view, took, watch: await PageWatch.of(page) };
}

async function ofSize(
  browser: Browser,
  empty: string,
  file: string,
  [events, first, tardis]: (typeof SIZES)[number],
): Promise<readonly Figure[]> {
  const { view, took, watch } = await opened(browser, empty, file);
  await using _ = view;
  const { page } = view;
  const figures: Figure[] = [];
  const add = (name: string, value: number, unit: Figure["unit"], target?: number) =>
    figures.push({
      name: `page, ${events} events: ${name}`,
      value,
      unit,
      ...(target === undefined ? {} : { peer: { name: "target", value: target } }),
    });
  add("file to first rows", took.first, "ms", first);
  add("file to all judged", took.judged, "ms");
  add("longest time without an answer meanwhile", took.longest, "ms");
  const frames = async (what: string, act: string) => {
    const { times, scriptMs } = await watch.frames(FRAMES, act);
    add(`${what}, p95 of frames`, quantile(times, 0.95), "ms", 17);
    add(`${what}, script a frame`, scriptMs, "ms", 4);
  };
  await page.keyboard.press("Home");
  await frames("scroll", "grid.scrollTop += 60");
  await frames("step each frame", KEY("ArrowRight"));
  // Panes wait until nothing has been passed for a frame.
  await frames("step each third frame, with panes", `if (at % 3 === 0) ${KEY("ArrowRight")}`);
  await frames("drag along the strip", DRAG);
  await frames("zoom each frame", `at % 2 === 0 ? ${KEY("S")} : ${KEY("W")}`);
  const jump = `${KEY("Home")}; ${KEY("End")}`;
  const picture = await watch.picture(JUMPS, jump);
  add("jump to its picture", picture, "ms", 50);
  if (tardis !== undefined) {
    const name = `page, ${events} events: jump`;
    const beside = (what: string, peer: string, value: number) =>
      figures.push({
        name: `${name}, beside ${what}`,
        value: picture,
        unit: "ms",
        peer: { name: peer, value },
      });
    beside("a step of TARDIS", "TARDIS, measured elsewhere", tardis);
    beside("all rows in SVG anew", "SVG in the same browser", await svgAnew(browser, file));
  }
  for (let times = 0; times < 4; times++) await page.keyboard.press("S");
  await frames("whole room, step", KEY("ArrowLeft"));
  await frames("whole room, drag", DRAG);
  for (let times = 0; times < 4; times++) await page.keyboard.press("W");
  add("elements, most at any height of rows", await elements(page), "1", 1_500);
  if (events === 100_000) {
    const heap = await watch.heap();
    add("heap of the page, which has the graph", heap.page / 1e6, "MB", 60);
    add("heap of page and worker", (heap.page + heap.workers) / 1e6, "MB", 400);
  }
  return figures;
}

async function elements(page: Page): Promise<number> {
  return await page.evaluate(`(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    let most = 0;
    for (let height = 0; height < 5; height++) {
      most = Math.max(most, document.querySelectorAll("*").length);
      ${KEY("S")};
      await frame();
      await frame();
    }
    return most;
  })()`);
}

/** Milliseconds until all rows of a room are drawn as SVG, as TARDIS does at each step. */
async function svgAnew(browser: Browser, file: string): Promise<number> {
  const text = readFileSync(file, "utf8");
  const session = await Session.open([{ name: "room.ndjson", text }]);
  const svg = svgOf(runPicture(session, Number.POSITIVE_INFINITY));
  await using view = await watched(browser);
  const { page } = view;
  page.setDefaultTimeout(120_000);
  await page.evaluate((markup) => Object.assign(globalThis, { markup }), svg);
  return await (await PageWatch.of(page)).picture(3, "document.body.innerHTML = markup");
}

/** Every merge of a room whose users change its state, and the state after one of them. */
async function ofStates(browser: Browser, empty: string, file: string): Promise<readonly Figure[]> {
  const { view, took } = await opened(browser, empty, file);
  await using _ = view;
  const { page } = view;
  const name = "page, 10000 events of 500 users, a fifth of them state";
  const state = await page.evaluate<number>(`(async () => {
    const shown = () => new Promise((resolve) => {
      const seen = new MutationObserver(() => { seen.disconnect(); resolve(); });
      seen.observe(document.documentElement, { attributeFilter: ["data-at"] });
    });
    let most = 0;
    for (let at = 0; at < 10; at++) {
      const begun = performance.now();
      const done = shown();
      document.body.dispatchEvent(
        new KeyboardEvent("keydown", { key: "ArrowLeft", shiftKey: true, bubbles: true }),
      );
      await done;
      most = Math.max(most, performance.now() - begun);
    }
    return most;
  })()`);
  return [
    {
      name: `${name}: all merges resolved`,
      value: took.judged - took.first,
      unit: "ms",
      peer: { name: "target", value: 10_000 },
    },
    {
      name: `${name}: state and reasons of a merge, longest of 10`,
      value: state,
      unit: "ms",
      peer: { name: "target", value: 300 },
    },
  ];
}
