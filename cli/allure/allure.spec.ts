import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { BOB, EVENT, INBOX, shared } from "#harness/forensics/hand-written";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult } from "#harness/results/outcome";
import { RunDirectory, readRun } from "#harness/results/run-directory";
import { mergeRuns } from "#reports/merge";
import { summarise } from "#reports/summarise";
import { writeAllure } from "./write-results.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));

const ID = "CS.login.flows";
const REQUIREMENT: Requirement = {
  id: ID,
  suite: "core",
  level: "MUST",
  basis: "text",
  source: "spec",
  statement: "s",
  check: "c",
  needs: [],
  sensitive: false,
};

/** A failure with a page of its room; returns the run. */
function storedRun(name: string, page: string) {
  const directory = RunDirectory.create(path.join(folder, name));
  const deployment = "hs@1/one/sqlite";
  const result: CheckResult = {
    ...{ kind: "check", deployment, suite: "core", requirement: ID, level: "MUST" },
    ...{ check: "c", outcome: "fail", durationMs: 1, reason: "r" },
  };
  const replay = "replay/a.replay.ndjson";
  directory.append(result, {
    deployment,
    requirement: ID,
    check: "c",
    message: "m",
    exchanges: [],
    replay,
  });
  directory.finish([result], { startedAt: "2026-11-26T20:00:00.000Z" });
  mkdirSync(path.join(directory.path, "replay"));
  writeFileSync(path.join(directory.path, "replay/a.html"), "<title>the page</title>");
  directory.write("replay/pages.json", JSON.stringify({ [replay]: { page } }));
  return readRun(directory.path);
}

function write(place: string, page: string) {
  const run = storedRun("run", page);
  const requirements = new Map([[ID, REQUIREMENT]]);
  const summary = summarise({ ...mergeRuns([run]), requirements });
  return writeAllure(path.join(folder, place), summary, [run], { disclose: false });
}

const pages = (place: string) =>
  readdirSync(path.join(folder, place))
    .filter((name) => name.endsWith(".html"))
    .map((name) => readFileSync(path.join(folder, place, name), "utf8"));

test("the page of a failure lies beside its result, which begins when the run did", async () => {
  const { results, leftOut } = await write("results", "replay/a.html");

  expect({ results, leftOut }).toEqual({ results: 1, leftOut: [] });
  expect(pages("results")).toEqual(["<title>the page</title>"]);
  const names = readdirSync(path.join(folder, "results"));
  const [name = ""] = names.filter((one) => one.endsWith("-result.json"));
  const { start } = JSON.parse(readFileSync(path.join(folder, "results", name), "utf8"));
  expect(start).toBe(Date.parse("2026-11-26T20:00:00.000Z"));
  expect(names).toEqual(expect.arrayContaining(["categories.json", "environment.properties"]));
});

/** A failure with a message that Bob could not read, and the gateway's trace if there is one. */
async function writeUnreadable(name: string, trace: readonly unknown[] | undefined) {
  const directory = RunDirectory.create(path.join(folder, name));
  const key = { deployment: "hs@1/one/sqlite", requirement: ID, check: "c" };
  const startedAt = "2026-11-26T20:00:07.000Z";
  const result: CheckResult = {
    ...{ kind: "check", suite: "core", level: "MUST", ...key },
    ...{ outcome: "fail", startedAt, durationMs: 1, reason: "r" },
  };
  const ids = { message: "hello", room: "!room:hs1", event: EVENT, session: "session", index: 0 };
  const { user, device } = BOB;
  const why = "MissingRoomKey";
  const undecryptable = [{ ...ids, user, device, why, isExpected: false, hunts: "none" }];
  directory.append(result, { ...key, message: "m", exchanges: [], undecryptable });
  directory.finish([result], { startedAt: "2026-11-26T20:00:00.000Z" });
  if (trace !== undefined) {
    mkdirSync(path.join(directory.path, "trace"), { recursive: true });
    const lines = trace.map((exchange) => `${JSON.stringify(exchange)}\n`);
    writeFileSync(path.join(directory.path, "trace/main.ndjson"), lines.join(""));
  }
  const run = readRun(directory.path);
  const summary = summarise({
    ...mergeRuns([run]),
    requirements: new Map([[ID, REQUIREMENT]]),
  });
  const place = path.join(folder, `${name}-results`);
  await writeAllure(place, summary, [run], { disclose: false });
  const file = readdirSync(place).find((one) => one.endsWith("-result.json")) ?? "";
  const written = JSON.parse(readFileSync(path.join(place, file), "utf8"));
  const found = written.attachments.find(
    (one: { name: string }) => one.name === "why they could not be read",
  );
  return { start: written.start, page: readFileSync(path.join(place, found.source), "utf8") };
}

test("a message that could not be read is explained beside its result, which begins when its check did", async () => {
  const story = shared()
    .sync(60, BOB, {}, { said: INBOX, rules: ["strip"] })
    .sync(61, BOB, {}, { since: "s60" });

  const { start, page } = await writeUnreadable("unreadable", story.exchanges);

  expect(start).toBe(Date.parse("2026-11-26T20:00:07.000Z"));
  expect(page).toContain("**todevice.lost-downstream**");
});

test("a message that could not be read is told without explanation where the trace is gone", async () => {
  const { page } = await writeUnreadable("untraced", undefined);

  expect(page).toMatch(/^not explained: <run>\/evidence\.jsonl is no trace/);
});

test.each(["../secret.html", "run.json", "replay/none.html"])(
  "a run can not have the file %s handed on",
  async (page) => {
    writeFileSync(path.join(folder, "secret.html"), "secret");
    const { leftOut } = await write("guarded", page);

    expect(leftOut).toHaveLength(1);
    expect(pages("guarded").join()).not.toMatch(/secret|startedAt/);
  },
);

test("without Java one file is refused, with what needs none", async () => {
  vi.stubEnv("PATH", folder);
  await expect(write("report.html", "replay/a.html")).rejects.toThrow(
    /with Java, and there is none[\s\S]*install Java 17[\s\S]*allure@3/,
  );
  expect(existsSync(path.join(folder, "report.html"))).toBe(false);
});

test("the job that ran it is the executor", async () => {
  vi.stubEnv("GITHUB_RUN_ID", "7");
  vi.stubEnv("GITHUB_REPOSITORY", "a/b");
  vi.stubEnv("GITHUB_SERVER_URL", "https://github.example");
  await write("executor", "replay/a.html");

  const text = readFileSync(path.join(folder, "executor/executor.json"), "utf8");
  expect(JSON.parse(text).buildUrl).toBe("https://github.example/a/b/actions/runs/7");
});

/** It fetches 33 MB. */
test.runIf(process.env.CRUCIBLE_TEST_ALLURE === "1")(
  "with Java it is one file",
  async () => {
    await write("one.html", "replay/a.html");

    expect(statSync(path.join(folder, "one.html")).size).toBeGreaterThan(1_000_000);
  },
  300_000,
);
