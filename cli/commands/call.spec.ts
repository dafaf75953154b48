import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { reportCalls } from "#cli/calls/figures";
import { runMain } from "#cli/main-for-specs";
import { CallPictures } from "#cli/run/calls";
import type { CallRecord } from "#harness/results/call";
import type { CheckResult, Evidence } from "#harness/results/outcome";
import { RunDirectory } from "#harness/results/run-directory";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const CALL: CallRecord = {
  deployment: "main",
  check: "RTC.chaos.x.1",
  from: 1_000,
  to: 9_000,
  rooms: ["!r:hs1"],
  places: [{ role: "hs1", place: "hs1", serverName: "hs1" }],
  devices: [],
  faults: [{ from: 2_000, to: 3_000, role: "hs1", what: "restart" }],
  notes: [{ at: 4_000, who: "@alice:hs1", from: "@bob:hs1", what: "heard" }],
};

function result(requirement: string, check: string): CheckResult {
  const base = { deployment: "d", suite: "msc4143", level: "MUST", outcome: "pass" } as const;
  return { kind: "check", ...base, requirement, check, durationMs: 1 };
}

function evidence(requirement: string, check: string, call: unknown = CALL): Evidence {
  const base = { deployment: "d", message: "", exchanges: [] };
  return { ...base, requirement, check, call: call as CallRecord };
}

function run(name: string, items: readonly Evidence[], hasTrace = true): string {
  const directory = RunDirectory.create(path.join(folder, name));
  const results = items.map(({ requirement, check }) => result(requirement, check));
  for (const [at, one] of results.entries()) directory.append(one, items[at]);
  directory.finish(results, {});
  if (hasTrace) {
    mkdirSync(path.join(directory.path, "trace"));
    writeFileSync(path.join(directory.path, "trace/main.ndjson"), "");
  }
  return directory.path;
}

const RUN = run("run", [
  evidence("RTC.chaos.x", "the members agree"),
  evidence("RTC.chaos.two", "the one way"),
  evidence("RTC.chaos.two", "the other way"),
]);

async function crucible(...args: readonly string[]): Promise<string> {
  const { printed, error } = await runMain(...args);
  if (error !== undefined) throw error;
  return printed;
}

test("draws the call of a check that passed, from what the run has kept", async () => {
  const svg = await crucible("call", RUN, "RTC.chaos.x");
  expect(svg).toMatch(/^<svg /);
  expect(svg).toContain("RTC.chaos.x: the members agree, pass");
  expect(svg).toContain("restart 1.0 s");
  const file = path.join(folder, "call.svg");
  expect(await crucible("call", RUN, "RTC.chaos.x", "-o", file)).toContain("written: ");
  expect(readFileSync(file, "utf8")).toBe(svg);
});

test("tells the lanes as JSON", async () => {
  const lanes = JSON.parse(await crucible("call", RUN, "RTC.chaos.two the other", "--json"));
  expect(lanes).toMatchObject({
    from: 2_000,
    places: [{ role: "hs1", down: [{ from: 2_000, to: 3_000 }] }],
    members: [{ user: "@alice:hs1", hears: [{ of: "@bob:hs1" }] }],
  });
});

test("says which checks are meant, and what is missing", async () => {
  await expect(crucible("call", RUN, "RTC.chaos.two")).rejects.toThrow(
    /means 2 checks[\s\S]*the one way[\s\S]*in quotes/,
  );
  await expect(crucible("call", RUN, "RTC.chaos.twice")).rejects.toThrow(
    /no check about calls[\s\S]*RTC\.chaos\.two/,
  );
  await expect(crucible("call", path.join(folder, "nowhere"), "x")).rejects.toThrow(
    /there is no run in/,
  );
  await expect(crucible("call", run("none", []), "x")).rejects.toThrow(/--suite msc4143/);
  const alone = run("alone", [evidence("RTC.chaos.x", "t")], false);
  await expect(crucible("call", alone, "RTC.chaos.x")).rejects.toThrow(
    /no trace[\s\S]*copy the run/,
  );
});

test.each([
  ["another shape", { ...CALL, notes: [{ at: "now" }] }],
  ["a place outside", { ...CALL, deployment: "../../etc/passwd" }],
])("refuses a record with %s", async (name, call) => {
  const other = run(`hostile ${name}`, [evidence("RTC.chaos.x", "t", call)]);
  await expect(crucible("call", other, "RTC.chaos.x")).rejects.toThrow(/not as|there is no trace/);
});

test("a run counts from notes of checks that pass how fast calls were, and reports compare runs", async () => {
  const note = (at: number, who: string, what: "connected" | "disconnected" | "heard" | "silent") =>
    ({
      at,
      who: `@${who}:hs1`,
      what,
      ...(what === "heard" || what === "silent" ? { from: "@bob:hs1" } : {}),
    }) as const;
  const notes = [
    note(2_000, "alice", "connected"),
    note(3_000, "bob", "connected"),
    note(3_400, "alice", "heard"),
    note(6_050, "alice", "silent"),
    note(6_000, "bob", "disconnected"),
  ];
  const runs = ["one", "two"].map((name) =>
    run(name, [evidence("RTC.chaos.x", "t", { ...CALL, notes })]),
  );
  for (const folder of runs) {
    const pictures = new CallPictures({ folder, onProblem: (line) => expect.fail(line) });
    pictures.add(result("RTC.chaos.x", "t"), evidence("RTC.chaos.x", "t", { ...CALL, notes }));
    await pictures[Symbol.asyncDispose]();
    expect(pictures.figures).toEqual([
      { name: "join to first audio", subject: "RTC.chaos.x, same homeserver", values: [400] },
      { name: "leave to silent", subject: "RTC.chaos.x, same homeserver", values: [50] },
    ]);
    const write = (name: string, content: string) => {
      writeFileSync(path.join(folder, name), content);
      return name;
    };
    const { text } = reportCalls({ write }, "synapse", pictures.figures);
    expect(text).toContain(
      "join to first audio, RTC.chaos.x, same homeserver  synapse  once, median 400 ms",
    );
    expect(readFileSync(path.join(folder, "calls.svg"), "utf8")).toMatch(/^<svg /);
  }
  const out = path.join(folder, "both.md");
  expect(await crucible("report", ...runs, "--format", "markdown", "--out", out)).toContain(
    "both.calls.svg",
  );
  const markdown = readFileSync(out, "utf8");
  expect(markdown).toContain("![plot](<both.calls.svg>)");
  expect(markdown).toMatch(
    /`leave to silent, RTC\.chaos\.x, same homeserver` \| `two` \| 1 \| 50 \| 50/,
  );
  const plot = readFileSync(path.join(folder, "both.calls.svg"), "utf8");
  expect(plot.match(/<circle/g)).toHaveLength(4);
  expect(JSON.parse(await crucible("report", ...runs, "--json")).calls).toHaveLength(2);
});

test("a run draws what it was asked to when its traces are whole, and goes on when it can not", async () => {
  const problems: string[] = [];
  const onProblem = (line: string) => problems.push(line);
  const one = { ...evidence("RTC.chaos.x", "t"), picture: "replay/RTC.chaos.x-1.call.svg" };
  for (const name of ["run", "alone"]) {
    await using pictures = new CallPictures({ folder: path.join(folder, name), onProblem });
    pictures.add(result("RTC.chaos.x", "t"), one);
  }
  expect(readFileSync(path.join(RUN, "replay/RTC.chaos.x-1.call.svg"), "utf8")).toMatch(/^<svg /);
  expect(problems).toEqual([expect.stringMatching(/pictures of calls are missing: .*no trace/)]);
});
