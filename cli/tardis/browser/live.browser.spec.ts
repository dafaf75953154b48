/** A chaos run of two Synapses on its page, in a real Chromium: what keys do there is done to the servers. */
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPlan, writePlan } from "#cli/chaos/files";
import { isAlive, Sandbox } from "#cli/command-process";
import { PLAN_FORMAT, type Plan } from "#scenarios/plan";
import {
  CHROMIUM,
  launch,
  ready,
  seriousViolations,
  shot,
  WHY_SKIPPED,
  watched,
} from "./chromium.ts";

/** Two servers start, on a busy machine. */
const PATIENCE = { timeout: 600_000 };

/** Goes on for longer than anybody looks, and has no trouble of its own: no convergence heals what a key has cut. */
const CALM: Plan = {
  format: PLAN_FORMAT,
  id: "calm",
  title: "one talks",
  servers: 2,
  users: { alice: "hs1", bob: "hs2" },
  rooms: { main: { creator: "alice", members: ["bob"] } },
  steps: Array.from({ length: 20_000 }, (_, at) => ({
    // Events are few, so that the page keeps up.
    op: at % 20 === 0 ? "message" : "typing",
    id: `say-${at}`,
    by: "alice",
    room: "main",
  })),
};

let browser: Browser;
beforeAll(async () => {
  if (CHROMIUM !== undefined) browser = await launch();
});
afterAll(() => browser?.close());

/** Moves the focus by Tab alone. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let press = 0; press < 80; press++) {
    if ((await page.locator(`${selector}:focus`).count()) > 0) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never came to ${selector}`);
}

interface Recorded {
  readonly t: string;
  readonly kind?: string;
  readonly name?: string;
  readonly from_heal_ms?: number;
}

describe.skipIf(CHROMIUM === undefined)(`live (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test(
    "keys cut a link, stop a server, and have the servers agree again; the story tells it",
    PATIENCE,
    async () => {
      using sandbox = new Sandbox();
      await using view = await watched(browser);
      const { page } = view;
      page.setDefaultTimeout(240_000);
      mkdirSync(sandbox.path("plans"));
      writePlan(sandbox.path("plans/calm.json"), CALM);
      const out = sandbox.path("run");
      const plans = ["--corpus", sandbox.path("plans"), "--servers", "2"];
      // What checkers find on servers that have to share a busy machine is not what this is about.
      const judge = ["--check", "state-converged", "--no-shrink"];
      const run = sandbox.start(
        "chaos",
        "--watch",
        "--seed",
        "7",
        "--out",
        out,
        ...plans,
        ...judge,
      );
      const [, url = ""] = await run.remarks(/watch and play: (http:\S+)/);

      await page.goto(url);
      await ready(page);
      await page.waitForSelector("#switchboard [data-link]");
      expect(await seriousViolations(page)).toEqual([]);

      const link = page.locator('[data-link="hs1>hs2"]');
      const answer = async (start: RegExp) => {
        await page.locator("#answer", { hasText: start }).waitFor();
        return page.textContent("#answer");
      };
      await tabTo(page, '[aria-label="cut hs1 to hs2"]');
      await page.keyboard.press("Enter");
      expect(await answer(/^[✓✕]/)).toBe("✓ refuse by hand");
      await link.filter({ hasText: "✕ refuse by hand" }).waitFor();
      await page.keyboard.press("r");
      await page.locator("#detail li", { hasText: "refuse by hand" }).waitFor();
      await shot(page, "live-cut");
      // The same key is never its own opposite, whatever the run has done meanwhile.
      await page.keyboard.press("Enter");
      expect(await answer(/^✕/)).toContain("hs1>hs2 is cut already: refuse by hand");

      await tabTo(page, '[aria-label="heal hs1 to hs2"]');
      await page.keyboard.press("Enter");
      expect(await answer(/^✓/)).toBe("✓ by-hand-1 ends");
      await link.filter({ hasText: "whole" }).waitFor();
      await page.keyboard.press("Enter");
      expect(await answer(/^✕/)).toContain("hs1>hs2 is whole already");

      await tabTo(page, '[aria-label="pause hs2"]');
      await page.keyboard.press("Enter");
      await page.locator("#switchboard .condition", { hasText: "paused" }).waitFor();
      await tabTo(page, '#switchboard button:text-is("check")');
      await page.keyboard.press("Enter");
      const outcome = await answer(/^[✓✕] servers/);
      expect(await page.locator("#switchboard .condition").allTextContents()).toEqual([
        "running",
        "running",
      ]);
      const rows = async () => Number(await page.getAttribute("#grid", "aria-rowcount"));
      const before = await rows();
      await expect.poll(rows, { timeout: 60_000 }).toBeGreaterThan(before);
      await shot(page, "live-healed");
      run.signal("SIGINT");
      await page.locator("#switchboard", { hasText: "over: what came is here" }).waitFor();
      const { code, stderr } = await run.ended;

      expect(code, stderr).toBe(130);
      expect(sandbox.startedProcesses().filter(isAlive)).toEqual([]);
      const journal = path.join(out, "story-1.replay.ndjson");
      const records = readFileSync(journal, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Recorded);
      const checked = records
        .filter(({ t }) => t === "recovery")
        .map(
          ({ from_heal_ms: ms }) =>
            `servers ${ms === undefined ? "did not agree" : `agreed after ${ms} ms`}`,
        );
      expect(checked.map((words) => `✓ ${words}; no checker failed`)).toContain(outcome);
      expect(records.filter(({ t }) => t === "by-hand")).toHaveLength(4);
      const faults = records.flatMap(({ t, kind, name }) =>
        t === "fault" ? [`${kind} ${name}`] : [],
      );
      expect(faults).toEqual([
        "netsplit refuse by hand",
        "heal heal refuse by hand",
        "stop pause hs2 by hand",
        "start resume hs2",
      ]);
      const told = readPlan(journal).steps.filter((step) => JSON.stringify(step).includes("hand"));
      expect(told).toEqual([
        { fault: "refuse", id: "by-hand-1", links: ["hs1>hs2"], title: "refuse by hand" },
        { heal: ["by-hand-1"] },
      ]);
      expect(readFileSync(journal, "utf8")).not.toContain(new URL(url).searchParams.get("token"));
      expect(view.requests.filter((asked) => !asked.startsWith(new URL(url).origin))).toEqual([]);
      const refused =
        "Failed to load resource: the server responded with a status of 400 (Bad Request)";
      expect(view.troubles).toEqual([refused, refused]);
    },
  );
});
