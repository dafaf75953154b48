/** A Chromium of this machine for the specs of the page, and pages in it that tell what they ask for and what breaks. */
import { accessSync, constants, mkdirSync } from "node:fs";
import path from "node:path";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { ROOT } from "#cli/run/session";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const SHOTS = path.join(ROOT, ".runs/browser/screenshots");

/** CRUCIBLE_CHROMIUM, else one of the usual names; undefined where there is none. */
export const CHROMIUM = findChromium();
/** What to say where the specs can not run. */
export const WHY_SKIPPED = "no Chromium: install one, or name it in CRUCIBLE_CHROMIUM";

function findChromium(): string | undefined {
  const given = process.env.CRUCIBLE_CHROMIUM;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const files = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return [...(given ? [given] : []), ...files].find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export async function launch(): Promise<Browser> {
  return await chromium.launch({
    executablePath: CHROMIUM ?? "",
    // As root, which has no sandbox of its own, and on machines with little shared memory.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
}

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly string[];
}

/** What axe-core finds of the kinds that keep people out. It comes in by the debugger, which the page's policy is not asked about. */
export async function seriousViolations(page: Page): Promise<readonly Violation[]> {
  if (await page.evaluate("globalThis.axe === undefined")) await page.evaluate(axe.source);
  return await page.evaluate(
    `axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html, failureSummary }) => html + failureSummary) })))`,
  );
}

export interface Watched extends AsyncDisposable {
  readonly page: Page;
  /** Addresses of all requests, but of what the browser keeps in itself. */
  readonly requests: string[];
  /** Errors of scripts, violations of the policy, and dialogs. */
  readonly troubles: string[];
}

/** A page of its own, 1280 wide. */
export async function watched(
  browser: Browser,
  options: { readonly colorScheme?: "dark" | "light"; readonly timezoneId?: string } = {},
): Promise<Watched> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const requests: string[] = [];
  const troubles: string[] = [];
  page.on("request", (request) => {
    if (!/^(?:data|blob):/.test(request.url())) requests.push(request.url());
  });
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(message.text());
  });
  page.on("dialog", (dialog) => {
    troubles.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  return {
    page,
    requests,
    troubles,
    [Symbol.asyncDispose]: () => context.close(),
  };
}

/** Waits until the page has read and replayed its files. */
export async function ready(page: Page): Promise<void> {
  await page.waitForSelector("html[data-ready=yes]", { state: "attached" });
}

/** Waits until a row is shown with a view. */
export async function shows(page: Page, row: number, view: string): Promise<void> {
  await page.waitForSelector(`html[data-at="${row} ${view}"]`, { state: "attached" });
}

interface PageView {
  readonly name: string;
  readonly key: string;
}

/** The tabs that the page has, each with its key. */
export async function viewsOf(page: Page): Promise<readonly PageView[]> {
  return await page.evaluate(
    `[...document.querySelectorAll("#tabs [role=tab]")]
      .map((tab) => ({ name: tab.id.slice(4), key: tab.getAttribute("aria-keyshortcuts") }))`,
  );
}

/** Kept as an artefact of the test run. */
export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
}
