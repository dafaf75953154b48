/** The page with files made to break it, and the commands that make and serve it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "#cli/run/session";
import { exportPage } from "#cli/tardis/export";
import { openSite } from "#cli/tardis/serve";
import { CHROMIUM, launch, ready, shot, shows, viewsOf, WHY_SKIPPED, watched } from "./chromium.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-hostile-"));
let browser: Browser;

beforeAll(async () => {
  if (CHROMIUM !== undefined) browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Sets a mark in the page should any of it run. */
const SCRIPTS = [
  '<img src=x onerror="window.pwned=1">',
  "</script><script>window.pwned=1</script>",
  '"><svg onload=window.pwned=1>',
  "<style>*{display:none}</style>",
];
const TURNED = "a\u202eb\u2066c\u0000d";

const ADA = "@ada:one.test";
const CREATE = {
  type: "m.room.create",
  state_key: "",
  sender: ADA,
  room_id: "!room:one.test",
  content: { creator: ADA, room_version: "10" },
  origin_server_ts: 1,
};
const NAMES = [...SCRIPTS, TURNED, "__proto__", "constructor", "toString", "hasOwnProperty"];

/** Ids and content, each event after the one before it. */
const EVENTS: readonly (readonly [id: string, event: object])[] = [
  ["$create", CREATE],
  ["$join", { ...CREATE, type: "m.room.member", state_key: ADA, content: { membership: "join" } }],
  // Levels may be texts up to version 9, so that other versions come to another state.
  [
    SCRIPTS.join(),
    { ...CREATE, type: "m.room.power_levels", content: { users: { [ADA]: "100" } } },
  ],
  ...NAMES.map((name, at) => {
    const event = {
      ...CREATE,
      type: at % 3 === 1 ? "m.room.message" : name,
      state_key: at % 3 === 1 ? undefined : name,
      sender: at % 2 === 0 ? ADA : `@${name}:one.test`,
      content: { body: name, [name]: name, ["__proto__"]: { polluted: 1 } },
      origin_server_ts: at % 2 === 0 ? 1e300 : -5,
    };
    return [at % 2 === 0 ? name : `$${name}`, event] as const;
  }),
  [
    "$long",
    {
      ...CREATE,
      type: "m.room.message",
      state_key: undefined,
      content: { body: "x".repeat(65_000) },
    },
  ],
];

/** Of a run in which servers, faults and steps are called as badly as events, with a line that can not be read. */
function hostileReplay(): string {
  const [name, ...servers] = SCRIPTS;
  const records = [
    { t: "meta", format: "mx-replay", version: 1, room_version: "10", test: name },
    { t: "fault", kind: name, links: [servers], servers, name },
    { t: "step", name, ok: false, message: name, events: SCRIPTS },
    ...EVENTS.flatMap(([event_id, event], at) => {
      const follows = [EVENTS[at - 1]?.[0], "valueOf"].slice(0, at);
      const cited = ["$create", "$join"].slice(0, at);
      const pdu = { ...event, prev_events: follows, auth_events: cited };
      const arrival = { t: "arrive", event_id, via: name, from: name, verdict: name, reason: name };
      const arrivals = servers.map((server) => ({ ...arrival, server, at: 1e300 }));
      return [{ t: "pdu", event_id, pdu }, ...(at % 2 === 0 ? arrivals : [])];
    }),
  ];
  const lines = records.map((record, at) => JSON.stringify({ seq: at + 1, at: at + 1, ...record }));
  return [...lines, `{"t": "step", "name": ${name}`].join("\n");
}

describe.skipIf(CHROMIUM === undefined)(`hostile files (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("what events hold is text, in every view, and is never run", async () => {
    const [input, output] = ["hostile.ndjson", "hostile.html"].map((name) =>
      path.join(folder, name),
    );
    writeFileSync(input ?? "", hostileReplay());
    await exportPage([input ?? ""], { output: output ?? "" });
    await using view = await watched(browser);
    const { page } = view;
    const url = pathToFileURL(output ?? "").href;
    await page.goto(url);
    await ready(page);
    expect(await page.getAttribute("#grid", "aria-rowcount")).toBe(String(EVENTS.length));

    for (const { key, name } of await viewsOf(page)) {
      await page.keyboard.press("Escape");
      await page.keyboard.press(key);
      for (const [row, [id]] of EVENTS.entries()) {
        await page.goto(`${url}#at=${encodeURIComponent(id)}&view=${name}`);
        await shows(page, row, name);
      }
    }

    const text = await page.textContent("body");
    for (const script of SCRIPTS) expect(text).toContain(script.slice(0, 20));
    expect(text).toContain("a\\u{202e}b\\u{2066}c\\u{0}d");
    expect(text).not.toMatch(/[\u202e\u2066\u0000]/);
    expect(await page.evaluate("window.pwned")).toBeUndefined();
    expect(await page.evaluate("({}).polluted")).toBeUndefined();
    expect(await page.locator("#main img, #main script, #main style").count()).toBe(0);
    expect(view.requests).toEqual([url]);
    expect(view.troubles).toEqual([]);
    await shot(page, "hostile");
  });

  test("a page that runs foreign markup is stopped by its policy", async () => {
    const output = path.join(folder, "policy.html");
    await exportPage([path.join(ROOT, "tardis/examples/reset-class-a.json5")], { output });
    writeFileSync(
      output,
      readFileSync(output, "utf8").replace("</footer>", `</footer>${SCRIPTS[0]}${SCRIPTS[1]}`),
    );
    await using view = await watched(browser);
    await view.page.goto(pathToFileURL(output).href);
    await ready(view.page);
    expect(await view.page.evaluate("window.pwned")).toBeUndefined();
    expect(view.troubles.join("\n")).toMatch(/Content Security Policy/);
    await expect(view.page.evaluate("fetch('http://127.0.0.1:9/')")).rejects.toThrow();
    await expect(view.page.evaluate("document.body.innerHTML = '<b>x</b>'")).rejects.toThrow(
      "TrustedHTML",
    );
  });

  test("what can not be read is told, and another file may be dropped", async () => {
    const output = path.join(folder, "empty.html");
    await exportPage([path.join(ROOT, "tardis/examples/reset-class-a.json5")], { output });
    writeFileSync(output, readFileSync(output, "utf8").replace(/(id="data">)[^<]*/, "$1"));
    await using view = await watched(browser);
    const { page } = view;
    await page.goto(pathToFileURL(output).href);

    await page.setInputFiles("#file", {
      name: "x.json",
      mimeType: "",
      buffer: Buffer.from("hello"),
    });
    await page.waitForSelector("#trouble:not(:empty)");
    expect(await page.textContent("#trouble")).toContain("x.json");

    const rooms = path.join(ROOT, "scenarios/stories/rooms");
    await page.setInputFiles("#file", [
      path.join(rooms, "netsplit.replay.ndjson"),
      path.join(rooms, "chaos-console.log"),
    ]);
    await ready(page);
    expect(await page.textContent("#chips")).toContain("room version 11");
    expect(view.troubles).toEqual([]);
  });

  test("the same file is exported in the same bytes", async () => {
    const files = ["one.html", "two.html"].map((name) => path.join(folder, name));
    for (const output of files) {
      await exportPage([path.join(ROOT, "scenarios/stories/rooms/netsplit.replay.ndjson")], {
        output,
      });
    }
    const [one, two] = files.map((file) => readFileSync(file));
    expect(one?.equals(two ?? Buffer.of())).toBe(true);
    expect(one?.toString()).not.toContain(ROOT);
  });

  test("serve lists a folder, and what it shows asks for nothing but itself", async () => {
    await using site = await openSite([path.join(ROOT, "tardis/examples")], 0);
    await using view = await watched(browser);
    await view.page.goto(site.url);
    await view.page.click("text=power-levels-race.json5");
    await ready(view.page);
    expect(view.requests).toEqual([site.url, expect.stringMatching(/^http:..127.0.0.1:\d+.\d$/)]);
    expect(view.troubles).toEqual([]);
  });
});
