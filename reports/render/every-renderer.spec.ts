/** What holds for every renderer: sensitive findings are withheld, and others' text does no harm. */
import { describe, expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, Evidence, Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { baselineText } from "#reports/baseline/baseline";
import { diffRuns } from "#reports/baseline/diff";
import { gate } from "#reports/baseline/gate";
import { WITHHELD } from "#reports/finding";
import { mergeRuns } from "#reports/merge";
import { siteData } from "#reports/site/site-data";
import { type Summary, summarise } from "#reports/summarise";
import { allureResults } from "./allure.ts";
import { badges } from "./badges.ts";
import { renderConsole } from "./console.ts";
import { renderDiff } from "./diff.ts";
import { gateData, gateMarkdown, renderGate } from "./gate.ts";
import { annotations, fitted } from "./github.ts";
import { summaryData } from "./json.ts";
import { renderJunit } from "./junit.ts";
import { renderMarkdown } from "./markdown.ts";

const DEPLOYMENT = "hs@1/one/sqlite";
const ID = "CS.a.b";

type Requirements = ReadonlyMap<string, Requirement>;

function requirement(id: string, more: Partial<Requirement> = {}): Requirement {
  const texts = { source: "MSC1 §1", statement: "The rule.", check: "How." };
  const rest = { suite: "core", basis: "text", needs: [], sensitive: false, ...texts, ...more };
  return { id, level: "MUST", ...rest } as Requirement;
}

function result(more: Partial<CheckResult>): CheckResult {
  const common = { kind: "check", suite: "core", level: "MUST", durationMs: 1 } as const;
  const named = { deployment: DEPLOYMENT, requirement: ID, check: "the server does" };
  return { ...common, ...named, outcome: "fail", ...more };
}

function evidenceOf({ deployment, requirement, check }: CheckResult, text: string): Evidence {
  return {
    ...{ deployment, requirement, check },
    expected: `expected ${text}`,
    actual: `actual ${text}`,
    message: `message ${text}`,
    exchange: `GET /x\n-> 200\n${text}`,
    exchanges: [],
    logs: [`log ${text}`],
    notes: [`note ${text}`],
    replay: `.runs/x/replay/${text}.replay.ndjson`,
    picture: `.runs/x/replay/${text}.call.svg`,
    undecryptable: [
      {
        ...{ message: text, room: text, event: text, session: text, user: text, device: text },
        ...{ index: 1, why: text, isExpected: false, hunts: text },
      },
    ],
  };
}

function run(results: readonly CheckResult[], text: string): StoredRun {
  const evidence = results
    .filter(({ outcome }) => outcome !== "pass")
    .map((one) => evidenceOf(one, text));
  const servers = [{ role: "hs1", implementation: "hs", version: "1", driver: "process:hs" }];
  return {
    path: ".runs/x",
    header: {
      ...{ kind: "run", harness: "0", requirements: "h", seed: 1 },
      deployments: [{ name: DEPLOYMENT, topology: "one", servers }],
    },
    results,
    evidence,
    pages: new Map(
      evidence.map(({ replay = "" }) => [replay, { page: `${replay}.html`, fragment: "#at=x" }]),
    ),
    isComplete: true,
    isStrict: false,
    troubles: [],
  };
}

interface Given {
  readonly summary: Summary;
  readonly before: StoredRun;
  readonly after: StoredRun;
  readonly requirements: Requirements;
  readonly disclose: boolean;
}

function gateOf({ before, after, requirements, disclose }: Given) {
  return gate({ baselines: [before], runs: [after], requirements, disclose });
}

const MANIFEST = { file: "ci/expectations.yaml", implementation: "hs", entries: [] };

/** All that may leave the run directory. */
const RENDERERS: Readonly<Record<string, (given: Given) => string>> = {
  console: ({ summary, disclose }) => renderConsole(summary, { disclose, colour: false }),
  markdown: ({ summary, disclose }) => renderMarkdown(summary, { disclose }),
  junit: ({ summary, disclose }) => renderJunit(summary, { disclose }),
  json: ({ summary, disclose }) => JSON.stringify(summaryData(summary, { disclose })),
  annotations: ({ summary, disclose }) =>
    annotations([...summary.regressions, ...summary.errors, ...summary.flaky], {
      disclose,
      manifest: MANIFEST,
    }).join("\n"),
  "job summary": ({ summary, disclose }) => fitted(renderMarkdown(summary, { disclose })),
  badges: ({ summary }) => JSON.stringify(badges(summary)),
  allure: ({ summary, disclose }) => {
    const findings = summary.groups.flatMap((group) => group.findings);
    const { texts, copies } = allureResults(summary, {
      disclose,
      startedAt: 0,
      undecryptable: new Map(findings.map((one) => [one, one.evidence?.message ?? ""])),
    });
    // Names of files to copy are no text: the command looks at where they lie.
    return [...texts, ...[...copies.keys()].map((name) => [name, ""])].flat().join("\n");
  },
  site: ({ summary, disclose }) =>
    JSON.stringify(
      siteData({
        ...{ summary, headers: summary.header === undefined ? [] : [summary.header] },
        ...{ again: new Map(), checks: new Map(), options: { disclose } },
        pageOf: ({ page }) => page,
        exchangesOf: ({ evidence }) => [evidence?.exchange ?? ""],
      }),
    ),
  "gate, console": (given) =>
    renderGate(gateOf(given), { disclose: given.disclose, colour: false }),
  "gate, markdown": (given) => gateMarkdown(gateOf(given), { disclose: given.disclose }),
  "gate, json": (given) => JSON.stringify(gateData(gateOf(given), { disclose: given.disclose })),
  diff: ({ before, after, requirements, disclose }) =>
    renderDiff(diffRuns(before, after, { requirements, disclose })),
};
/** They count, and tell nothing of a single check. */
const COUNTING = ["badges"];

function given(
  outcome: Outcome,
  text: string,
  requirements: Requirements,
  disclose = false,
  named: Partial<CheckResult> = {},
): Given {
  const known = result({ requirement: "CS.a.known", outcome: "pass" });
  const before = run([result({ ...named, outcome: "pass" }), known], text);
  const reason = `reason ${text}`;
  const after = run([result({ ...named, outcome, reason }), known], text);
  const summary = summarise({ ...mergeRuns([after]), requirements });
  return { summary, before, after, requirements, disclose };
}

describe.each(Object.entries(RENDERERS))("%s", (name, render) => {
  const SECRET = "the-secret-of-a-user";
  const known = ["CS.a.known", requirement("CS.a.known")] as const;
  const sensitive = new Map([[ID, requirement(ID, { sensitive: true })], known]);
  const unknown = new Map([known]);

  test.each(["fail", "error", "flaky", "xfail"] as const)(
    "withholds how a sensitive requirement is missed: %s",
    (outcome) => {
      for (const requirements of [sensitive, unknown]) {
        const text = render(given(outcome, SECRET, requirements));
        expect(text).not.toContain(SECRET);
        if (!COUNTING.includes(name) && outcome === "fail") {
          expect(text).toContain(ID);
          expect(text.replaceAll("&#39;", "'")).toContain(WITHHELD);
        }
      }
    },
  );

  test("shows it when it is disclosed", () => {
    const text = render(given("fail", SECRET, sensitive, true));
    expect(text.includes(SECRET)).toBe(!COUNTING.includes(name));
  });

  const HOSTILE = [
    "<script>alert(1)</script>",
    "\u001b[31mred\u001b]0;title\u0007\u009b2J",
    "\u202eevil\u2066",
    "```\n::error::x\r\n::stop-commands::y\nverdict: as expected\ngate: as expected",
    "]]> &amp; &\"' <!-- \u0000\u0008\ufffe\uffff\ud800 %0A::warning::z",
    "../../../etc/passwd",
  ].join(" ");

  test.each([
    ["hostile", HOSTILE],
    ["hostile and of a megabyte", `${HOSTILE} ${"A".repeat(1_000_000)}`],
  ])("is not harmed by %s text in every place", (_, text) => {
    const named = { requirement: text, check: text, deployment: text, suite: text };
    const texts = { id: text, statement: text, source: text, check: text };
    const requirements = new Map([[text, requirement(ID, texts)], known]);
    const rendered = render(given("fail", text, requirements, false, named));
    expect(rendered).not.toMatch(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e\u2066\ufffe\uffff]/,
    );
    expect(rendered.isWellFormed()).toBe(true);
    expect(rendered.length).toBeLessThan(150_000);
    // At the start of a line, GitHub's runner obeys it; what indents a line does not change that.
    const commands = rendered.split("\n").filter((line) => /^\s*::/.test(line));
    if (name !== "annotations") return;
    expect(commands).toHaveLength(1);
    expect(commands[0]).toMatch(/^::error file=ci\/expectations\.yaml,line=1,title=[^\n]*$/);
  });
});

test("a baseline has nothing of a sensitive check but its outcome", () => {
  const { after } = given("xfail", "secret", new Map());
  if (after.header === undefined) throw new TypeError("the run has a header");
  expect(baselineText(after.header, after.results, new Map())).not.toContain("secret");
});

describe("annotations", () => {
  const requirements = new Map([[ID, requirement(ID)]]);
  const failing = (...more: Partial<CheckResult>[]) =>
    summarise({
      ...mergeRuns([
        run(
          more.map((one) => result({ reason: "why", ...one })),
          "x",
        ),
      ]),
      requirements,
    }).regressions;

  test("are one for each requirement, at its entry of the manifest", () => {
    const entry = { id: "CS.a.*", expect: "unsupported", reason: "r" } as const;
    const entries = [{ ...entry, file: "ci/e.yaml", line: 12 }];
    const manifest = { ...MANIFEST, entries };
    const found = failing({ check: "one" }, { check: "two" });
    const lines = annotations(found, { disclose: false, manifest });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^::error file=ci\/e\.yaml,line=12,title=CS\.a\.b \(MUST\) regressed::/,
    );
    expect(lines[0]).toContain("on hs@1/one/sqlite, 2 checks");
  });

  test("are no more than GitHub shows, and the rest is counted", () => {
    const found = failing(
      ...Array.from({ length: 13 }, (_, at) => ({ requirement: `CS.a.r${at}` })),
    );
    const lines = annotations(found, { disclose: false, manifest: undefined });
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toBe("::notice::3 more requirements regressed: see the summary");
  });

  test("a job's summary ends where a finding does, and says what is missing", () => {
    const { summary } = given("fail", "x", requirements);
    const markdown = renderMarkdown(summary, { disclose: false }).repeat(50);
    const text = fitted(markdown, 5_000);
    expect(text.length).toBeLessThan(5_100);
    expect(text).toMatch(/<\/details>\n\n\d+ KB more are in summary\.md of the run directory\.\n$/);
    expect(fitted(markdown)).toBe(markdown);
  });
});

describe("Allure results", () => {
  const both = ["hs@1/one/sqlite", "hs@2/one/sqlite"].map((deployment) =>
    run([result({ deployment, reason: "why" })], "x"),
  );
  const requirements = new Map([
    [ID, requirement(ID, { source: "spec client-server §X; MSC4186" })],
  ]);
  const summary = summarise({ ...mergeRuns(both), requirements });
  const { texts, copies } = allureResults(summary, {
    disclose: false,
    startedAt: 1_000,
    undecryptable: new Map(),
  });
  const results = [...texts]
    .filter(([name]) => name.endsWith("-result.json"))
    .map(([, text]) => JSON.parse(text));

  test("of two deployments never merge", () => {
    expect(results).toHaveLength(2);
    for (const key of ["uuid", "historyId"])
      expect(new Set(results.map((one) => one[key])).size).toBe(2);
    expect(results.map(({ parameters }) => parameters)).toEqual([
      [{ name: "deployment", value: "hs@1/one/sqlite" }],
      [{ name: "deployment", value: "hs@2/one/sqlite" }],
    ]);
  });

  test("have requirement, level, links and attachments that are there", () => {
    const [first] = results;
    expect(first).toMatchObject({ status: "failed", start: 1_000, stop: 1_001 });
    expect(first.statusDetails.message).toMatch(/^MUST: /);
    expect(first.labels).toEqual(
      expect.arrayContaining([
        { name: "requirement", value: ID },
        { name: "level", value: "MUST" },
      ]),
    );
    expect(first.links.map(({ url }: { url: string }) => url)).toEqual([
      "https://github.com/matrix-org/matrix-spec-proposals/pull/4186",
      "https://spec.matrix.org/latest/client-server-api/",
    ]);
    const sources = first.attachments.map(({ source }: { source: string }) => source);
    expect(sources).toHaveLength(7);
    for (const source of sources) expect(texts.has(source) || copies.has(source)).toBe(true);
  });
});

test("badges count MUSTs by colour, keep their address when versions change, and hide no gap", () => {
  const results = [
    result({ requirement: "MSC1.a", outcome: "pass" }),
    result({ requirement: "MSC1.b", outcome: "fail" }),
    result({ requirement: "MSC1.c", outcome: "skip" }),
    result({ requirement: "MSC2.a", outcome: "pass" }),
    result({ requirement: "MSC2.b", outcome: "fail", level: "SHOULD" }),
    result({ requirement: "MSC3.a", outcome: "skip" }),
    result({ requirement: "MSC4.a", outcome: "fail", party: "client" }),
  ];
  const summary = summarise({ ...mergeRuns([run(results, "x")]), requirements: new Map() });
  const found = badges(summary).map(({ name, content }) => {
    const { label, message, color } = JSON.parse(content);
    return [name, label, message, color];
  });
  expect(found).toEqual([
    ["hs-one-sqlite/MSC1-MUST.json", "MSC1 MUST", "1/2, 1 not exercised", "red"],
    ["hs-one-sqlite/MSC2-MUST.json", "MSC2 MUST", "1/1", "brightgreen"],
    ["hs-one-sqlite/MSC2-SHOULD.json", "MSC2 SHOULD", "0/1", "blue"],
    ["hs-one-sqlite/MSC3-MUST.json", "MSC3 MUST", "not exercised", "lightgrey"],
  ]);
});
