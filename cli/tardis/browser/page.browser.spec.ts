/** The page in a real Chromium: from files that need no server. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ROOT } from "#cli/run/session";
import { explain } from "#cli/tardis/explain";
import { pageTemplate, pageWith } from "#cli/tardis/page";
import type { ResolutionStep } from "#protocol/state/trace";
import { explainKey } from "#tardis/explain/explain-key";
import type { Step } from "#tardis/explain/explanation";
import { loadRun } from "#tardis/formats/load";
import { historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import {
  CHROMIUM,
  launch,
  ready,
  seriousViolations,
  shot,
  shows,
  viewsOf,
  WHY_SKIPPED,
  watched,
} from "./chromium.ts";

const EXAMPLES = path.join(ROOT, "tardis/examples");
const ROOMS = path.join(ROOT, "scenarios/stories/rooms");
const ZONES = ["UTC", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney"];
/** Files that are opened together: each of the two folders is in one of them. */
const LOADS: readonly (readonly string[])[] = [
  ...readdirSync(EXAMPLES).map((name) => [path.join(EXAMPLES, name)]),
  ...[
    ["room.ndjson"],
    ["tie-breaks.json5"],
    ["fork-with-known-state.json5"],
    ["netsplit.replay.ndjson"],
    ["synapse-export.ndjson"],
    ["room.ndjson", "federation.har"],
    ["room.ndjson", "chaos-websocket.ndjson", "chaos-console.log"],
  ].map((names) => names.map((name) => path.join(ROOMS, name))),
];

interface Winner {
  readonly after: string;
  readonly key: string;
  /** Null: there is none. */
  readonly id: string | null;
}

/** What files expect of themselves, and else what scenarios/stories/rooms says of them. */
function winnersOf(run: Run, name: string): readonly Winner[] {
  if (run.expected.size > 0) {
    return [...run.expected].flatMap(([after, state]) =>
      [...state].map(([key, id]) => ({ after, key, id })),
    );
  }
  const idOf = (named: string) => run.pdus.find((pdu) => pdu.name === named)?.eventId ?? "";
  if (name === "tie-breaks.json5") {
    const joins = ["$BOB_JR_1", "$CHARLIE_JR_2", "$CHARLIE_JR_3"].map((winner, at) => ({
      after: idOf(`$MERGE_${at + 1}`),
      key: "m.room.join_rules|",
      id: idOf(winner),
    }));
    return [...joins, { after: idOf("$MERGE_4"), key: "m.room.name|", id: idOf("$CHARLIE_NAME") }];
  }
  // The harbour: Ada's topic, where the branches meet.
  const merge = run.pdus.find(({ event }) => event.prevEvents.length > 1)?.eventId ?? "";
  const id = "$-plhGP-Iqvt_QYd94-IesRfFLUbiokPEVdW7C-VUFo4";
  return [{ after: merge, key: "m.room.topic|", id }];
}

const folder = mkdtempSync(path.join(tmpdir(), "crucible-page-"));
let template: string;
let browser: Browser;

beforeAll(async () => {
  if (CHROMIUM === undefined) return;
  template = await pageTemplate();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Address of a page with one file in it. */
function pageOf(name: string, text: string): string {
  const file = path.join(folder, `${name}.html`);
  writeFileSync(file, pageWith(template, [{ name, text }]));
  return pathToFileURL(file).href;
}

function example(name: string): string {
  return readFileSync(path.join(EXAMPLES, name), "utf8");
}

/** Each decision of the resolver is one sentence, about the same event, and no sentence tells of another one. */
function agree(steps: readonly Step[], trace: readonly ResolutionStep[]): void {
  const firsts = (kind: Step["kind"]) =>
    steps
      .flatMap((step) => (step.kind === kind ? step.sentences : []))
      .filter(({ events }) => events.length > 0);
  const picks = trace.filter((step) => step.kind === "pick");
  expect(
    firsts("power-order")
      .slice(-picks.length)
      .map(({ events }) => events[0]),
  ).toEqual(picks.map(({ id }) => id));
  const all = new Set(trace.flatMap((step) => JSON.stringify(step).match(/\$[\w-]{43}/g) ?? []));
  for (const pass of ["power", "ordinary"] as const) {
    const checks = trace
      .filter((step) => step.kind === "check")
      .filter((step) => step.pass === pass);
    const told = firsts(pass === "power" ? "power-checks" : "ordinary-checks");
    expect(told.map(({ events }) => events[0])).toEqual(checks.map(({ id }) => id));
    for (const [at, { rejection }] of checks.entries()) {
      const text = told[at]?.text ?? "";
      if (rejection === undefined) expect(text).toContain("is allowed by the rules");
      else expect(text).toContain(`is refused by the rule ${rejection.rule}: ${rejection.why}`);
    }
  }
  const conflicts = trace.filter((step) => step.kind === "conflict");
  const told = firsts("conflicts").map(({ events }) => events);
  for (const { candidates } of conflicts) expect(told).toContainEqual(candidates);
  const others = steps.filter(({ kind }) => kind !== "inputs" && kind !== "result");
  const strangers = others.flatMap(({ sentences }) => sentences.flatMap(({ events }) => events));
  expect(strangers.filter((id) => !all.has(id))).toEqual([]);
}

/** What the command prints: the verdict, then titles and sentences of steps, without numbers and marks. */
async function linesOfExplain(file: string, at: string, key: string): Promise<readonly string[]> {
  let text = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  await explain([file], { at, key });
  write.mockRestore();
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("How state resolution"))
    .map((line) => line.replace(/^(?:\d+\. | [* ] )/, ""));
}

describe.skipIf(CHROMIUM === undefined)(`the page (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test.for(ZONES)("every example has its winners, by the same ids, in %s", async (timezoneId) => {
    await using view = await watched(browser, { timezoneId });
    const { page } = view;
    const url = pathToFileURL(path.join(folder, "empty.html")).href;
    writeFileSync(path.join(folder, "empty.html"), pageWith(template, []));
    await page.goto(url);

    for (const files of LOADS) {
      const texts = files.map((file) => ({ name: file, text: readFileSync(file, "utf8") }));
      const run = await loadRun(texts);
      await page.setInputFiles("#file", [...files]);
      const rows = `#grid[aria-rowcount="${run.pdus.length}"]`;
      await page.waitForSelector(`html[data-ready=yes]:has(${rows})`, { state: "attached" });
      const winners = winnersOf(run, path.basename(files[0] ?? ""));
      expect(winners.length, files.join()).toBeGreaterThan(0);
      for (const { after, key, id } of winners) {
        const row = run.pdus.findIndex(({ eventId }) => eventId === after);
        await page.goto(`${url}#at=${encodeURIComponent(after)}`);
        await shows(page, row, "why");
        const winner = run.pdus.findIndex(({ eventId }) => eventId === id);
        const { name } = run.pdus[winner] ?? {};
        const line = page.locator(`#state-table tr[data-key=${JSON.stringify(key)}]`);
        const text = await line.textContent();
        expect(text, `${files} ${after} ${key}`).toContain(
          id === null ? "none" : (name ?? id.slice(0, 7)),
        );
        if (run.expected.size > 0) expect(text).toContain("✓ as expected");
        if (winner < 0) continue;
        await page.goto(`${url}#at=${encodeURIComponent(id ?? "")}`);
        await shows(page, winner, "why");
      }
      if (timezoneId === "UTC") await shot(page, path.basename(files.at(-1) ?? ""));
    }
    expect(new Set(view.requests)).toEqual(new Set([url]));
    expect(view.troubles).toEqual([]);
  });

  test.for([
    ["reset-class-a.json5", "v2"],
    ["reset-class-c-version-12.json5", "v2.1"],
  ] as const)(
    "keys alone lead through %s to the end of %s, in the words of explain",
    async ([name, algorithm]) => {
      await using view = await watched(browser);
      const { page } = view;
      await page.goto(pageOf(name, example(name)));
      await ready(page);

      await page.keyboard.press("Home");
      await shows(page, 0, "why");
      await page.keyboard.press("Shift+ArrowRight");
      await page.waitForSelector(".row.at .warn");
      const row = Number(await page.getAttribute(".row.at", "data-row"));
      await shows(page, row, "why");
      await page.keyboard.press("e");
      await page.waitForSelector("#why-steps button:focus");

      const run = await loadRun([{ name, text: example(name) }]);
      const [room] = run.rooms;
      const key = await page.inputValue("#why-key");
      const history = historyOf(run, room ?? expect.unreachable());
      const told = explainKey({
        history,
        names: new Map(run.pdus.map(({ eventId, name }) => [eventId, name ?? eventId])),
        given: new Set(run.givenStates.keys()),
        at: [run.pdus[row]?.eventId ?? ""],
        key,
      });
      expect(told.algorithm).toBe(algorithm);
      expect(told.steps.length).toBeGreaterThan(3);
      expect(await page.locator("#verdict p").allTextContents()).toEqual(
        told.verdict.map(({ text }) => text),
      );
      for (const [at, { title, sentences }] of told.steps.entries()) {
        if (at > 0) await page.keyboard.press("ArrowDown");
        const now = page.locator(`#why-steps li.now[data-step="${at}"]`);
        await now.waitFor();
        expect(await page.textContent("#why-steps button:focus")).toBe(title);
        expect(await now.locator(".sentences p:visible").allTextContents()).toEqual(
          sentences.map(({ text }) => text),
        );
      }
      const { event } = run.pdus[row] ?? expect.unreachable();
      const trace: ResolutionStep[] = [];
      history.stateAfter(event.prevEvents, (step) => trace.push(step));
      agree(told.steps, trace);
      const lines = [
        ...(await page.locator("#verdict p").allTextContents()),
        ...(await page
          .locator("#why-steps button.step, #why-steps .sentences p")
          .allTextContents()),
      ];
      expect(lines).toEqual(await linesOfExplain(path.join(EXAMPLES, name), event.id, key));
      await shot(page, `walk-${algorithm}`);
      expect(view.troubles).toEqual([]);
    },
  );

  test.for(["dark", "light"] as const)("axe finds nothing serious in %s", async (colorScheme) => {
    await using view = await watched(browser, { colorScheme });
    const { page } = view;
    const rooms = path.join(ROOT, "scenarios/stories/rooms/netsplit.replay.ndjson");
    await page.goto(pageOf("netsplit", readFileSync(rooms, "utf8")));
    await ready(page);
    const row = Number(await page.getAttribute(".row.at", "data-row"));

    for (const { key, name } of await viewsOf(page)) {
      // Out of what has letters of its own.
      await page.keyboard.press("Escape");
      await page.keyboard.press(key);
      await shows(page, row, name);
      expect(await seriousViolations(page), name).toEqual([]);
      await shot(page, `${colorScheme}-${name}`);
    }
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    expect(await seriousViolations(page), "help").toEqual([]);
    expect(view.troubles).toEqual([]);
  });
});
