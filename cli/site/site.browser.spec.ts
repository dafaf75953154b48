/** The site in a browser, from a folder: without network, in both themes, from phone to desktop, by keys, with hostile names. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CHROMIUM,
  launch,
  ready,
  seriousViolations,
  shot,
  type Watched,
  WHY_SKIPPED,
  watched,
} from "#cli/tardis/browser/chromium";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { tameLine } from "#reports/finding";
import { evidenceOf, manyRuns, resultOf, storedRun, traceLine } from "./runs-for-specs.ts";
import { writeSite } from "./write-site.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-site-"));
let browser: Browser;
let site: string;
let hostile: string;
let many: string;

const { requirements } = await loadCatalogue();
const own = requirements.filter(({ sensitive, party }) => !sensitive && party === undefined);
const pick = (basis: string) => own.find((one) => one.basis === basis)?.id ?? "";
const [TEXT, DERIVED] = [pick("text"), pick("derived")];

/** Sets a mark in the page should any of it run. */
const HOSTILE = [
  '<img src=x onerror="window.pwned=1">',
  "</script><script>window.pwned=1</script>",
  "');window.pwned=1;('",
  "\\');window.pwned=1//",
  "\u001b[31mred\u001b]0;title\u0007",
  "a\u202eb\u2066c\u0000d\u2028e",
  "__proto__",
  "javascript:window.pwned=1",
  "x".repeat(1_000_000),
];

const callsOf = (...subjects: readonly string[]) =>
  JSON.stringify({
    figures: subjects.map((subject) => ({
      name: "join to first audio",
      subject,
      values: [90, 700, 300],
    })),
  });

beforeAll(async () => {
  if (CHROMIUM === undefined) return;
  browser = await launch();
  const old = storedRun(path.join(folder, "old"), {
    results: [resultOf(TEXT, "pass"), resultOf(DERIVED, "pass")],
  });
  const failed = resultOf(TEXT, "fail");
  const current = storedRun(path.join(folder, "current"), {
    results: [failed, resultOf(DERIVED, "xfail")],
    evidence: [evidenceOf(failed, "X")],
    files: {
      "trace/main.ndjson":
        traceLine("main#1", '{"rooms":{}}') + traceLine("main#2", '{"a":[1,"b"]}'),
      [`replay/${TEXT}-1.html`]: "<!doctype html><title>a room</title>",
      "replay/pages.json": JSON.stringify({
        [`replay/${TEXT}-1.replay.ndjson`]: { page: `replay/${TEXT}-1.html`, fragment: "#at=%24x" },
      }),
      "perf.json": JSON.stringify({
        deployment: "d",
        measurements: [10, 100].map((rooms) => ({
          name: "initial",
          subject: "sync",
          rooms,
          unit: "ms",
          values: [rooms],
        })),
      }),
      "calls.json": callsOf("RTC.a, same homeserver"),
    },
  });
  site = path.join(folder, "site");
  await writeSite(site, [old, current], { disclose: false });
  const results = HOSTILE.flatMap((name) => [
    resultOf(name, "fail", { check: name, deployment: name, suite: name, reason: name }),
    resultOf(TEXT, "fail", { check: name, deployment: name, suite: name, reason: name }),
  ]);
  hostile = path.join(folder, "hostile");
  const run = storedRun(path.join(folder, "bad"), {
    results,
    evidence: results.map((one) => evidenceOf(one, one.deployment)),
    files: { "calls.json": callsOf(...HOSTILE) },
  });
  await writeSite(hostile, [run, old], { disclose: true });
  many = path.join(folder, "many");
  await writeSite(many, [manyRuns(path.join(folder, "run"), 1_000, 20)], { disclose: false });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

async function open({ page }: Watched, at: string, hash = ""): Promise<void> {
  await page.goto("about:blank");
  await page.goto(`${pathToFileURL(path.join(at, "index.html")).href}${hash}`);
  await ready(page);
}

const PAGES = [
  "",
  `#/requirement/${encodeURIComponent(TEXT)}`,
  "#/deployment/0",
  "#/compare/0/1",
  "#/measured",
];

describe.skipIf(CHROMIUM === undefined)(`the site (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test.each(["light", "dark"] as const)(
    "keeps nobody out and asks nobody for anything, %s",
    async (colorScheme) => {
      await using view = await watched(browser, { colorScheme });
      for (const width of [1280, 390]) {
        await view.page.setViewportSize({ width, height: 800 });
        for (const [at, hash] of PAGES.entries()) {
          await open(view, site, hash);
          expect(await seriousViolations(view.page), `${width} ${hash}`).toEqual([]);
          await shot(view.page, `site-${colorScheme}-${width}-${at}`);
          const isWide = "document.documentElement.scrollWidth > innerWidth";
          expect(await view.page.evaluate(isWide), `${width} ${hash}`).toBe(false);
        }
      }
      await open(view, many);
      expect(await seriousViolations(view.page)).toEqual([]);
      await shot(view.page, `site-${colorScheme}-many`);
      expect(view.requests.filter((url) => !/^(?:file|about):/.test(url))).toEqual([]);
      expect(view.troubles).toEqual([]);
    },
  );

  test("goes from the filter to a failure by keys, to its evidence and back", async () => {
    await using view = await watched(browser);
    const { page } = view;
    await open(view, site);
    expect(await page.locator(".row:not(.area)").count()).toBe(2);
    await page.keyboard.press("/");
    await page.keyboard.type("outcome:fail");
    expect(await page.locator(".row:not(.area)").count()).toBe(1);
    const changed = page.locator(".row .cell.changed > [role=img]").last();
    expect(await changed.getAttribute("aria-label")).toBe("fail, was pass");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.waitForSelector("section.on");
    const text = (await page.textContent("main")) ?? "";
    const order = ["rule", "expected X", "actual X", "main#2 client", "crucible run", "replay"];
    const places = order.map((part) => text.indexOf(part));
    expect(places.every((place) => place >= 0)).toBe(true);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(await page.locator(".exchange .key").first().textContent()).toBe('"a"');
    const replay = page.locator("a[href^='replay/']");
    expect(await replay.getAttribute("href")).toBe("replay/1.html#at=%24x");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#matrix");
    expect(await page.inputValue("#filter")).toBe("outcome:fail");
    await page.keyboard.press("c");
    await page.waitForSelector("table.changes");
    expect(await page.textContent("table.changes")).toMatch(/regressed/);
    await open(view, site, "#/deployment/1");
    await page.click("text=its failures");
    await page.waitForSelector("#matrix .row .cell.fail");
    await replayOpens(view);
    expect(view.troubles).toEqual([]);
  });

  test("what is derived never looks like a sentence of the specification", async () => {
    await using view = await watched(browser);
    await open(view, site, `#/requirement/${encodeURIComponent(DERIVED)}`);
    expect(await view.page.textContent(".facts")).toContain("no sentence of the specification");
    await open(view, site);
    const row = view.page.locator(".row", { hasText: DERIVED });
    expect(await row.textContent()).toContain("derived");
  });

  test("what runs measured is drawn, and told in words", async () => {
    await using view = await watched(browser);
    const { page } = view;
    await open(view, site, "#/measured");
    expect(await page.getByRole("img", { name: "initial in ms" }).count()).toBe(1);
    const calls = await page.getByRole("region", { name: "calls" }).textContent();
    expect(calls).toContain("RTC.a, same homeserver");
    expect(calls).toMatch(/700 ms.*300 ms/);
    expect(view.troubles).toEqual([]);
  });

  test("hostile names are texts, on every page", async () => {
    await using view = await watched(browser);
    const { page } = view;
    await open(view, hostile);
    // What is beyond the rows in sight is drawn a moment later.
    await expect.poll(() => page.locator(".row:not(.area)").count()).toBeGreaterThan(4);
    const ids = HOSTILE.map((name) => `#/requirement/${encodeURIComponent(tameLine(name))}`);
    const deployments = HOSTILE.map((_, at) => `#/deployment/${at}`);
    for (const hash of [
      "",
      ...ids,
      ...deployments,
      "#/measured",
      "#/compare/0/1",
      "#/<img src=x>",
      "#/requirement/%",
    ]) {
      await open(view, hostile, hash);
      expect(await page.title(), hash.slice(0, 80)).not.toBe("");
      expect((await page.textContent("main"))?.length, hash.slice(0, 80)).toBeLessThan(200_000);
      expect(await page.evaluate("window.pwned"), hash.slice(0, 80)).toBeUndefined();
      expect(await page.locator("main :is(script, img, iframe, style)").count()).toBe(0);
    }
    await open(view, hostile);
    await shot(page, "site-hostile");
    expect(view.troubles).toEqual([]);
  });

  test("only rows in sight are there, however many there are", async () => {
    await using view = await watched(browser);
    const { page } = view;
    await open(view, many);
    expect(await page.locator(".row").count()).toBeLessThan(60);
    await page.evaluate("document.querySelector('#main').scrollTop = 1e6");
    const rows = await page.getAttribute("#matrix", "aria-rowcount");
    await page.waitForSelector(`.row[aria-rowindex="${rows}"]`);
    expect(await page.locator(".row").count()).toBeLessThan(60);
    await page.keyboard.press("n");
    await page.keyboard.press("/");
    await page.keyboard.type("rule-999");
    expect(await page.locator(".row:not(.area)").count()).toBe(1);
    expect(view.troubles).toEqual([]);
  });

  test("rows are used again, in the order in which they are read, each with what is its own", async () => {
    await using view = await watched(browser);
    const { page } = view;
    await open(view, many);
    for (const by of [60, 60, 800, 800, 130, -60, -800, 4_000, -300, -2_000]) {
      const rows = await scrolled(view, by);
      expect(rows, String(by)).toEqual(rows.toSorted((a, b) => a - b));
      expect(new Set(rows).size).toBe(rows.length);
    }
    const shown = await page.evaluate<string[]>(
      "[...document.querySelectorAll('.row:not(.area)')].map((row) => [row.querySelector('.id').textContent, ...[...row.querySelectorAll('.cell')].map((cell) => cell.textContent)].join(' '))",
    );
    await page.reload();
    await ready(page);
    expect(shown.length).toBeGreaterThan(10);
    for (const one of shown) {
      const [id = ""] = one.split(" ");
      await page.fill("#filter", id);
      await page.waitForFunction("document.querySelectorAll('.row:not(.area)').length < 13");
      const row = page.locator(".row:not(.area)", {
        has: page.getByText(id, { exact: true }),
      });
      const cells = await row.locator(".cell").allTextContents();
      expect([id, ...cells].join(" ")).toBe(one);
    }
    await page.locator(".row .cell").first().click();
    const [first = ""] = shown.at(-1)?.split(" ") ?? [];
    expect(decodeURIComponent(page.url())).toContain(first);
    expect(view.troubles).toEqual([]);
  });

  test("a row with the focus stays its own, however far it is scrolled", async () => {
    await using view = await watched(browser);
    const { page } = view;
    await open(view, many);
    for (const _ of [1, 2, 3]) await page.keyboard.press("j");
    const focused = "document.activeElement.textContent";
    const third = await page.evaluate<string>(focused);
    expect(third).toMatch(/^CS\.area-0\.rule-/);
    for (const by of [800, 800, 60, 5_000, -60, -6_600]) {
      const rows = await scrolled(view, by);
      expect(rows, String(by)).toEqual(rows.toSorted((a, b) => a - b));
      expect(await page.evaluate(focused)).toBe(third);
      expect(await page.locator(".row.at").count()).toBe(1);
    }
    await scrolled(view, 3_000);
    await page.keyboard.press("k");
    const second = await page.evaluate<string>(focused);
    expect(second).not.toBe(third);
    expect(await page.locator(".row.at .id").allTextContents()).toEqual([second]);
    expect(view.troubles).toEqual([]);
  });
});

/** Numbers of the rows that are there, as they follow each other in the document. */
const ROWS = "[...document.querySelectorAll('.row')].map((row) => Number(row.ariaRowIndex))";

async function scrolled({ page }: Watched, by: number): Promise<readonly number[]> {
  await page.evaluate(`new Promise((resolve) => {
    document.querySelector("#main").scrollTop += ${by};
    requestAnimationFrame(() => requestAnimationFrame(resolve));
  })`);
  return await page.evaluate<number[]>(ROWS);
}

async function replayOpens(view: Watched): Promise<void> {
  await open(view, site, PAGES[1]);
  await view.page.click("a[href^='replay/']");
  await view.page.waitForURL(/replay\/1\.html#at=%24x$/);
  expect(await view.page.title()).toBe("a room");
}
