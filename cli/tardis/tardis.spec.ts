/** The commands as people call them, in processes of their own where the zone of the reader matters. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { runMain } from "#cli/main-for-specs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const ROOMS = path.join(ROOT, "scenarios/stories/rooms");
const EXAMPLES = path.join(ROOT, "tardis/examples");
const ZONES = ["UTC", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney"];

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const tardis = (...args: readonly string[]) => runMain("tardis", ...args);

function file(name: string, text: string): string {
  const created = path.join(folder, name);
  writeFileSync(created, text);
  return created;
}

/** Loads every example, and tells ids, order, times of records, and what is not as expected. */
const PROBE = `
  const { readdirSync, readFileSync } = await import("node:fs");
  const { loadRun } = await import("#tardis/formats/load");
  const { differencesIn, historyOf } = await import("#tardis/model/room-of-run");
  const found = {};
  for (const folder of ["scenarios/stories/rooms", "tardis/examples"]) {
    for (const name of readdirSync(folder).filter((name) => !name.endsWith(".sql"))) {
      const files = [name.endsWith(".har") ? "room.ndjson" : name, name];
      const run = await loadRun(files.map((file) => ({ name: file, text: readFileSync(folder + "/" + file, "utf8") })));
      const histories = run.rooms.map((room) => historyOf(run, room));
      found[name] = {
        ids: run.pdus.map(({ eventId, name }) => [name, eventId]),
        times: run.records.map(({ at }) => at),
        differences: histories.map((history) => differencesIn(run, history)),
        states: histories.map((history) => history.named(history.stateAfter(history.extremities))),
      };
    }
  }
  const url = "https://two.test/_matrix/federation/v1/version";
  const entry = { startedDateTime: "2025-06-16T18:53:20.930", request: { url }, response: { status: 200 } };
  const har = JSON.stringify({ log: { entries: [entry] } });
  const run = await loadRun([{ name: "no zone", text: har }]);
  found.har = { times: run.records.map(({ at }) => at), differences: [] };
  console.log(JSON.stringify({ midnight: new Date(2024, 0, 1).getTime(), found }));
`;

test("ids, times and winners are the same in every zone", () => {
  const answers = ZONES.map((zone) => {
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", PROBE], {
      cwd: ROOT,
      env: { ...process.env, TZ: zone },
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    return JSON.parse(stdout) as {
      midnight: number;
      found: Record<string, { differences: unknown[][] }>;
    };
  });
  // So that the zone has acted.
  expect(new Set(answers.map(({ midnight }) => midnight)).size).toBe(ZONES.length);
  const [first, ...others] = answers.map(({ found }) => found);
  expect(Object.keys(first ?? {})).toHaveLength(
    readdirSync(ROOMS).length - 2 + readdirSync(EXAMPLES).length + 1,
  );
  for (const [name, { differences }] of Object.entries(first ?? {})) {
    expect(differences.flat(), name).toEqual([]);
  }
  for (const other of others) expect(other).toEqual(first);
}, 120_000);

test("check: all examples are as they say", async () => {
  const files = readdirSync(EXAMPLES).map((name) => path.join(EXAMPLES, name));
  const { code, stdout } = await tardis(
    "check",
    ...files,
    path.join(ROOMS, "netsplit.replay.ndjson"),
    "--json",
  );
  const checked = JSON.parse(stdout) as { isOk: boolean; expected: number; problems: string[] }[];
  expect(code).toBe(0);
  expect(checked).toHaveLength(files.length + 1);
  for (const { isOk, problems } of checked) expect([isOk, problems]).toEqual([true, []]);
  expect(checked.slice(0, -1).every(({ expected }) => expected > 0)).toBe(true);
  expect(checked.at(-1)).toMatchObject({
    ids: { matching: 12, differing: [] },
    servers: [
      { name: "one.test", arrived: 12, missing: 0, rejected: 1, softFailed: 1 },
      { name: "two.test", arrived: 12, missing: 0, rejected: 0, softFailed: 0 },
    ],
  });
});

test("check: an expectation that fails, and an id that is another event's, end with 1", async () => {
  const scenario = readFileSync(path.join(EXAMPLES, "bob-wins-by-being-weaker.json5"), "utf8");
  const lost = file(
    "lost.json5",
    scenario.replace(/("\$MERGE": \{"m.room.join_rules\|": )"\$BOB_JR"/, '$1"$ADA_JR"'),
  );
  const expected = await tardis("check", lost);
  expect(expected.code).toBe(1);
  expect(expected.stdout).toMatch(
    /not ok .*\n.*\n {2}expected: 2 of 3 .*\n {2}after \$\S+: m\.room\.join_rules\| should be/,
  );

  const room = readFileSync(path.join(ROOMS, "room.ndjson"), "utf8");
  const forged = await tardis(
    "check",
    file("forged.ndjson", room.replace('"depth":4', '"depth":5')),
  );
  expect(forged.code).toBe(1);
  expect(forged.stdout).toMatch(/11 match, .* 1 differ\n {2}id \$dStDgtMw\S+ should be \$/);
});

test("convert: several files into one replay, by its ending, and a link", async () => {
  const target = path.join(folder, "run.replay.ndjson");
  const sources = ["room.ndjson", "chaos-websocket.ndjson", "chaos-console.log"];
  const { code, stderr } = await tardis(
    "convert",
    ...sources.map((name) => path.join(ROOMS, name)),
    "-o",
    target,
  );
  expect([code, stderr]).toEqual([0, ""]);
  const check = await tardis("check", target, "--json");
  expect(JSON.parse(check.stdout)).toMatchObject([{ isOk: true, events: 12, gaps: [] }]);

  const link = await tardis(
    "convert",
    path.join(EXAMPLES, "reset-class-a.json5"),
    "--format",
    "link",
  );
  expect(link.stdout).toMatch(/^#src=d\.[\w-]+\n$/);
  const opened = await tardis("check", `https://viewer.test/${link.stdout.trim()}`, "--json");
  expect(JSON.parse(opened.stdout)).toMatchObject([{ isOk: true, expected: 3 }]);
});

test("export: files whose names differ only in their endings have a page each", async () => {
  const text = readFileSync(path.join(EXAMPLES, "reset-class-a.json5"), "utf8");
  const sources = ["same.json5", "same.json", "SAME.link.json5"].map((name) => file(name, text));
  const target = path.join(folder, "pages/");

  const { code, stderr, stdout } = await tardis("export", ...sources, "-o", target);

  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("3 recordings");
  const names = ["SAME.link.html", "index.html", "same.html", "same.json.html"];
  expect(readdirSync(target).sort()).toEqual(names);
  const index = readFileSync(path.join(target, "index.html"), "utf8");
  for (const name of names.filter((one) => one !== "index.html"))
    expect(index).toContain(`href="${name}"`);
}, 120_000);

test("explain: the reasons as text, by name, by the beginning of an id, and by another version", async () => {
  const example = path.join(EXAMPLES, "reset-class-a.json5");
  const key = ["--key", "m.room.member|@charlie:three.test"];
  const { stdout, code } = await tardis("explain", example, "--at", "$MERGE", ...key);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^The membership of @charlie:three\.test, after .*\(\$MERGE\): .* \(\$CHARLIE\)\.\n/,
  );
  expect(stdout).toMatch(/\n7\. iterative auth checks of power events\n/);
  expect(stdout).toMatch(/\n \* .*\(\$BAN\) is refused by the rule ban\.level: /);

  const markdown = await tardis("explain", example, "--at", "$MERGE", ...key, "--markdown");
  expect(markdown.stdout).toMatch(/^# Why m\.room\.member\\\|`@charlie:three\.test` is as it is\n/);
  expect(markdown.stdout).toContain("\n## 1. the states that meet\n\n- **After `@");

  const healed = await tardis("explain", example, ...key, "--room-version", "12", "--json");
  expect(JSON.parse(healed.stdout)).toMatchObject({ algorithm: "v2.1", roomVersion: "12" });
  expect(healed.stdout).toContain("$BAN) is allowed by the rules");

  const room = path.join(ROOMS, "room.ndjson");
  const short = await tardis("explain", room, "--at", "$TailFd", "--key", "m.room.topic");
  expect(short.stdout).toMatch(/^The topic, after @ada:one\.test's message \(\$TailFd\): @ada/);
});

test.each([
  [["check", "nowhere.json5"], "nowhere.json5 can not be read", "next: check the path"],
  [
    ["convert", path.join(EXAMPLES, "reset-class-a.json5"), "-o", "a.txt"],
    "tells no format",
    "--format replay",
  ],
  [
    ["convert", path.join(EXAMPLES, "reset-class-a.json5"), "--format", "scenari"],
    "no format scenari",
    "did you mean scenario?",
  ],
  [
    ["convert", path.join(ROOMS, "chaos-console.log"), "--format", "scenario"],
    "holds one room, and there are 0",
    "next:",
  ],
  [
    ["explain", path.join(ROOMS, "room.ndjson")],
    "required option '--key",
    "next: crucible tardis explain --help",
  ],
  [
    ["explain", path.join(EXAMPLES, "reset-class-a.json5"), "--key", "x", "--at", "$MERG"],
    "no event $MERG",
    "did you mean $MERGE?",
  ],
  [
    ["explain", path.join(EXAMPLES, "reset-class-a.json5"), "--key", "x", "--room-version", "99"],
    "no room version 99",
    "did you mean 9?",
  ],
  [["explian"], "unknown command 'explian'", "Did you mean explain?"],
])("%j is refused", async (args, what, next) => {
  const { code, stderr } = await tardis(...args);
  expect(stderr).toContain(what);
  expect(stderr).toContain(next);
  expect(code).toBe(2);
});
