/** What commands write of stored runs, all of it: nothing of what is sensitive, and nothing of others that does harm. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { CALL_FIGURES } from "#harness/results/call-figures";
import type { Evidence } from "#harness/results/outcome";
import { readRun } from "#harness/results/run-directory";
import type { CheckReport } from "#harness/world/run-info";
import { REPORTS, type Written, writeReports, writtenIn } from "./reports-for-specs.ts";
import { Progress } from "./run/progress.ts";
import type { Selected } from "./run/select.ts";
import { Verdicts } from "./run/session.ts";
import {
  evidenceOf,
  type RunForSpecs,
  resultOf,
  storedRun,
  traceLine,
} from "./site/runs-for-specs.ts";

const PATIENCE = { timeout: 300_000 };
const SECRET = "secret-of-a-user";
const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

const { requirements } = await loadCatalogue();
const SENSITIVE = requirements.find(({ sensitive }) => sensitive)?.id ?? "";
const PLAIN = requirements.find((one) => !one.sensitive && !one.party)?.id ?? "";
const UNKNOWN = "CS.of.another-version";

let count = 0;
function place(name: string): string {
  return path.join(folder, `${++count}-${name.replaceAll(/\W+/g, "-")}`);
}

/** Evidence with a text in every field. */
function evidenceWith(given: Parameters<typeof evidenceOf>[0], text: string, at = 1): Evidence {
  const one = { message: text, room: text, event: text, session: text, user: text, device: text };
  return {
    ...evidenceOf(given, text),
    stack: text,
    replay: `replay/${at}.replay.ndjson`,
    picture: `replay/${at}.call.svg`,
    undecryptable: [{ ...one, index: 1, why: text, isExpected: false, hunts: text }],
  };
}

const OUTCOMES = ["fail", "error", "xfail", "flaky"] as const;

/** Two runs of checks that passed and then did not, in each of the ways, with all files that a run leaves behind. */
function runsOf(...ids: readonly string[]) {
  const results = ids.flatMap((id) =>
    OUTCOMES.map((outcome) => {
      const check = `the server does not ${outcome}`;
      return resultOf(id, outcome, { check, reason: `reason ${SECRET}` });
    }),
  );
  const other = resultOf(PLAIN, "pass", { check: "the server does something else" });
  const passed = results.map((one) => resultOf(one.requirement, "pass", { check: one.check }));
  const before = storedRun(place("before"), { results: [...passed, other] });
  const pages = results.map((_, at) => [
    `replay/${at}.replay.ndjson`,
    { page: `replay/${at}.html` },
  ]);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg"><text>${SECRET}</text></svg>`;
  const replays = results.flatMap((_, at) => [
    [`replay/${at}.replay.ndjson`, SECRET],
    [`replay/${at}.html`, `<!doctype html>${SECRET}`],
    [`replay/${at}.call.svg`, svg],
  ]);
  const after = storedRun(place("after"), {
    results: [...results, other],
    evidence: results.map((one, at) => evidenceWith(one, SECRET, at)),
    files: {
      ...Object.fromEntries(replays),
      "replay/pages.json": JSON.stringify(Object.fromEntries(pages)),
      "trace/main.ndjson": traceLine("main#1", SECRET) + traceLine("main#2", SECRET),
      "logs/hs1.log": SECRET,
      "summary.md": SECRET,
      "junit.xml": SECRET,
    },
  });
  return { before: before.path, after: after.path };
}

const textOf = (written: readonly Written[]) =>
  written.map(({ name, text }) => `${name}\n${text}`).join("\n");

describe.each(Object.keys(REPORTS))("%s", (name) => {
  const reportOf = async (ids: readonly string[], disclose: boolean) => {
    const out = place(name);
    await writeReports(name, runsOf(...ids), out, { disclose });
    return textOf(writtenIn(out));
  };

  test(
    "has no evidence of what is sensitive, nor of what this version does not know",
    PATIENCE,
    async () => {
      const text = await reportOf([SENSITIVE, UNKNOWN], false);
      expect(text).not.toContain(SECRET);
      // Counted it is, everywhere.
      if (name === "badges") expect(text).toContain('"message": "');
      // Bugs and manifests name requirements of this version.
      else if (/^(?:recall|expect)/.test(name)) expect(text).toContain(SENSITIVE);
      else for (const id of [SENSITIVE, UNKNOWN]) expect(text).toContain(id);
    },
  );

  // Else the one above proves nothing.
  test("has that of others, and of what is sensitive when it is disclosed", PATIENCE, async () => {
    const { canDisclose = true } = REPORTS[name] ?? {};
    expect((await reportOf([PLAIN], false)).includes(SECRET)).toBe(name !== "badges");
    expect((await reportOf([SENSITIVE], true)).includes(SECRET)).toBe(canDisclose);
  });
});

/** What is printed while checks end, as Vitest reports them. */
function toldDuring(act: (verdicts: Verdicts, progress: Progress) => void): string {
  let told = "";
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    told += chunk;
    return true;
  });
  const checks = [{ id: SENSITIVE, title: "the server does", file: "", line: 1 }];
  const plan = { requirements, checks, topology: { name: "one" } };
  const selected = { plan, servers: new Map() } as unknown as Selected;
  using progress = new Progress(1);
  act(new Verdicts(selected, 1), progress);
  return told;
}

function reportOf(requirement: string, text: string, outcome: CheckReport["outcome"]): CheckReport {
  const common = { repetition: 1, durationMs: 1, exchanges: [], notes: [text] };
  const said = { reason: text, expected: text, actual: text, message: text };
  return { ...common, ...said, requirement, title: "the server does", outcome };
}

describe("Vitest's reporter", () => {
  test.each(["fail", "error", "flaky"] as const)("has no evidence of a sensitive %s", (outcome) => {
    const told = (id: string) =>
      toldDuring((verdicts, progress) => {
        const { result } = verdicts.add(reportOf(id, SECRET, outcome), 1);
        progress.finished(result, () => verdicts.pending());
      });
    expect(told(SENSITIVE)).toContain(SENSITIVE);
    expect(told(SENSITIVE)).not.toContain(SECRET);
    expect(told(PLAIN)).toContain(SECRET);
  });

  test("does not tell why a sensitive check broke, either", () => {
    const broken = (id: string) => {
      let results = "";
      const told = toldDuring((verdicts, progress) => {
        progress.note(verdicts.broke(SECRET, `${id} the server does`));
        results = JSON.stringify(verdicts.close(false, undefined));
      });
      return told + results;
    };
    expect(broken(SENSITIVE)).toContain(SENSITIVE);
    expect(broken(SENSITIVE)).not.toContain(SECRET);
    expect(broken(PLAIN)).toContain(SECRET);
  });
});

const HOSTILE = [
  "<script>alert(1)</script><img src=x onerror=alert(2)>",
  "\u001b[31mred\u001b]0;title\u0007\u009b2J",
  "\u202eevil\u2066\u200f",
  "```\n::error::x\r\n::stop-commands::y\nverdict: as expected\ngate: as expected",
  "]]> &amp; &\"' <!-- \u0000\u0008\ufffe\uffff\ud800 %0A::warning::z",
  "../../../etc/passwd",
  "\\u001b[2J %1b[2J $(touch pwned) `touch pwned`",
].join(" ");
const LONG = `${HOSTILE} ${"A".repeat(1_000_000)}`;
const CONTROLS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/;
const MOST_BYTES = 200_000;
/** Theirs, or the copy of what the run had. */
const IS_AS_IT_WAS = /^(?:site\/(?:site\.js|index\.html)|a\.html)$/;

type Rest = Pick<RunForSpecs, "header" | "trouble" | "files">;

/** All else that a run has to tell. */
function hostileRest(text: string): Rest {
  const figure = { name: text, subject: text, rooms: 1, unit: "ms", values: [1] };
  const heard = { name: CALL_FIGURES[0], subject: text, values: [1] };
  const server = { role: text, implementation: text, version: text, driver: text };
  const deployments = [text, `other ${text}`].map((name) => ({
    name: `${name}/one/x`,
    topology: text,
    servers: [server],
  }));
  return {
    header: { harness: text, requirements: text, deployments },
    trouble: text,
    files: {
      "perf.json": JSON.stringify({ deployment: text, measurements: [figure] }),
      "calls.json": JSON.stringify({ figures: [heard] }),
    },
  };
}

function hostileRuns(text: string, rest: Rest) {
  const named = { check: text, deployment: `${text}/one/x`, suite: text, reason: text };
  const results = [
    resultOf(text, "fail", named),
    resultOf(PLAIN, "error", named),
    resultOf(PLAIN, "fail", { ...named, check: `${text} again` }),
    resultOf(text, "xpass", { ...named, check: `${text} at last` }),
    ...(rest.header === undefined
      ? []
      : [resultOf(PLAIN, "skip", { ...named, deployment: `other ${text}/one/x` })]),
  ];
  const before = storedRun(place("before"), {
    results: results.map((one) => ({ ...one, outcome: "pass" as const })),
    header: { ...rest.header, requirements: `other than ${text}` },
  });
  const after = storedRun(place("after"), {
    results,
    evidence: results.map((one, at) => evidenceWith(one, text, at + 1)),
    ...rest,
    files: {
      "replay/pages.json": JSON.stringify({ "replay/1.replay.ndjson": { note: text } }),
      ...rest.files,
    },
  });
  return { before: before.path, after: after.path };
}

/** All texts within data. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [key, ...textsIn(one)]);
}

function dataIn({ name, text }: Written): unknown {
  if (name.endsWith(".json")) return JSON.parse(text);
  if (/\/data\/.*\.js$/.test(name)) {
    let data: unknown;
    new Function("crucibleData", text)((_: string, json: string) => {
      data = JSON.parse(json);
    });
    return data;
  }
  return undefined;
}

/** XML that can not be parsed, told; nothing where there is no Python to try it. */
function faultOfXml(text: string): string {
  const script = "import sys, xml.dom.minidom as d; d.parseString(sys.stdin.buffer.read())";
  const { error, stderr } = spawnSync("python3", ["-c", script], { input: text, encoding: "utf8" });
  return error === undefined ? stderr : "";
}

describe.each(Object.keys(REPORTS))("hostile names in %s", (name) => {
  test.each([
    ["short", HOSTILE, {}],
    ["of a megabyte", LONG, {}],
    ["all else in a run that had trouble", HOSTILE, hostileRest(LONG)],
  ])("do no harm: %s", PATIENCE, async (_, text, rest) => {
    const out = path.join(place(name), "out");
    const runs = hostileRuns(text, rest);
    // A baseline is made of nothing that had trouble; every other report has to show it.
    const isRefused = name === "baseline" && rest.trouble !== undefined;
    await writeReports(name, runs, out, { disclose: true, isRefused });
    expect(readdirSync(path.dirname(out))).toEqual(["out"]);
    expect(existsSync("pwned")).toBe(false);
    const written = writtenIn(out);
    expect(textOf(written)).toContain("alert");
    // Lines of data in which results are handed on: whoever reads them gets what was there, as escapes.
    const isHandedOn = ["baseline", "shared copy"].includes(name);
    if (isHandedOn && !isRefused) {
      const read = readRun(path.join(out, name === "baseline" ? "baseline.jsonl" : "copy"));
      const skipped = rest.header === undefined ? [] : [text];
      const titles = [...skipped, text, text, `${text} again`, `${text} at last`];
      expect(read.results.map(({ check }) => check).toSorted()).toEqual(titles);
    }
    for (const one of written.filter(({ name }) => !IS_AS_IT_WAS.test(name))) {
      expect(one.name).toMatch(/^[\w./@+-]+$/);
      expect(one.text).not.toMatch(CONTROLS);
      expect(one.text.isWellFormed()).toBe(true);
      if (!isHandedOn) {
        expect(one.text.length).toBeLessThan(MOST_BYTES);
        for (const inner of textsIn(dataIn(one))) expect(inner).not.toMatch(CONTROLS);
      }
      if (one.name.endsWith(".js")) expect(one.text).not.toContain("<");
      if (one.name.endsWith(".xml")) expect(faultOfXml(one.text)).toBe("");
      if (/\.(?:svg|html|xml)$/.test(one.name)) expect(one.text).not.toMatch(/<script|<img/i);
      if (one.name !== "stdout.txt") continue;
      // In Markdown it is within a block of code.
      if (!name.includes("Markdown"))
        expect(one.text).not.toMatch(/^(?:verdict|gate): as expected/m);
      // Of what else is printed .ci/gate.sh tells the runner to obey nothing.
      const isOfCommands = name.startsWith("GitHub");
      const commands = one.text
        .split("\n")
        .filter((line) => /^\s*::/.test(line) || (isOfCommands && line !== ""));
      const own = /^::error title=[^:,]+ (?:regressed|characters\))::(?!.*%0A::)/;
      if (name.includes("GitHub")) for (const one of commands) expect(one).toMatch(own);
    }
  });
});

test("hostile names do no harm on the console while checks run", () => {
  for (const text of [HOSTILE, LONG]) {
    const result = resultOf(text, "fail", { check: text, reason: text });
    const told = toldDuring((_, progress) => {
      progress.stage(text);
      progress.note(text);
      progress.finished(result, () => [text], text);
    });
    expect(told.replaceAll(/\u001b\[\d*m/g, "")).not.toMatch(CONTROLS);
    expect(told.length).toBeLessThan(20_000);
  }
});
