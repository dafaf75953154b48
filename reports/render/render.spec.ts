import { expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, Evidence, Outcome } from "#harness/results/outcome";
import { WITHHELD } from "#reports/finding";
import { summarise } from "#reports/summarise";
import { renderConsole } from "./console.ts";
import { renderJunit } from "./junit.ts";
import { renderMarkdown } from "./markdown.ts";

const SECRET = "the-secret-of-a-user";

function requirement(id: string, more: Partial<Requirement> = {}): Requirement {
  return {
    id,
    suite: "core",
    level: "MUST",
    basis: "text",
    source: "spec §1",
    statement: "The rule.",
    check: "How.",
    needs: [],
    sensitive: false,
    ...more,
  };
}

function result(id: string, outcome: Outcome, reason = "reason"): CheckResult {
  return {
    kind: "check",
    deployment: "hs@1/one/sqlite",
    suite: "core",
    requirement: id,
    level: "MUST",
    check: "the server does",
    outcome,
    durationMs: 5,
    reason,
  };
}

function evidence(id: string, text: string): Evidence {
  return {
    deployment: "hs@1/one/sqlite",
    requirement: id,
    check: "the server does",
    expected: `expected ${text}`,
    actual: `actual ${text}`,
    message: `message ${text}`,
    exchange: `GET /x\n-> 200\n${text}`,
    exchanges: ["main#1"],
    logs: [`log ${text}`],
  };
}

function renderAll(
  results: CheckResult[],
  items: Evidence[],
  requirements: Requirement[],
  disclose = false,
) {
  const byId = new Map(requirements.map((item) => [item.id, item]));
  const summary = summarise({
    path: ".runs/x",
    header: undefined,
    results,
    evidence: items,
    requirements: byId,
  });
  return {
    console: renderConsole(summary, { disclose, colour: false }),
    markdown: renderMarkdown(summary, { disclose }),
    junit: renderJunit(summary, { disclose }),
  };
}

test("a failure shows id, level, source, rule, expected, actual, exchange and what shows more, in that order", () => {
  const id = "CS.a.b";
  const { console } = renderAll([result(id, "fail")], [evidence(id, "X")], [requirement(id)]);
  const order = [
    "CS.a.b",
    "MUST",
    "spec §1",
    "The rule.",
    "expected X",
    "actual X",
    "GET /x",
    "explain CS.a.b",
  ];
  const places = order.map((text) => console.indexOf(text));
  expect(places.every((place) => place >= 0)).toBe(true);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

test("what is derived never looks like a sentence of the specification", () => {
  const id = "CS.a.b";
  const all = renderAll([result(id, "fail")], [], [requirement(id, { basis: "derived" })]);
  for (const text of Object.values(all)) expect(text).toContain("no sentence of the specification");
});

test.each(["fail", "error", "flaky", "xfail"] as const)(
  "a sensitive %s shows no evidence unless it is disclosed",
  (outcome) => {
    const id = "CS.a.b";
    const args = [
      [result(id, outcome, `reason ${SECRET}`)],
      [evidence(id, SECRET)],
      [requirement(id, { sensitive: true })],
    ] as const;
    for (const text of Object.values(
      renderAll(...(args as unknown as Parameters<typeof renderAll>)),
    )) {
      expect(text).not.toContain(SECRET);
      expect(text.replaceAll("&#39;", "'")).toContain(WITHHELD);
      expect(text).toContain(id);
    }
    const [results, items, requirements] = args;
    const disclosed = renderAll([...results], [...items], [...requirements], true);
    for (const text of Object.values(disclosed)) expect(text).toContain(SECRET);
  },
);

test("a requirement that is not known is treated as sensitive", () => {
  const all = renderAll(
    [result("CS.gone.away", "fail", SECRET)],
    [evidence("CS.gone.away", SECRET)],
    [],
  );
  for (const text of Object.values(all)) expect(text).not.toContain(SECRET);
});

test("hostile text does no harm", () => {
  const hostile = `<script>alert(1)</script>\u001b[31mred\u202eevil \`\`\`| ]]> &"' ${"A".repeat(1_000_000)}`;
  const id = "CS.a.b";
  const all = renderAll(
    [{ ...result(id, "fail", hostile), check: hostile }],
    [{ ...evidence(id, hostile), check: hostile }],
    [requirement(id)],
  );
  for (const text of Object.values(all)) {
    expect(text).not.toMatch(/[\u001b\u202e]/);
    expect(text.length).toBeLessThan(60_000);
  }
  expect(all.junit).not.toContain("<script>");
  const html = all.markdown.split("\n").filter((line) => line.startsWith("<"));
  for (const line of html) expect(line).not.toContain("<script>");
});

test("JUnit has the deployment in the suite, and expected failures visible", () => {
  const ids = ["CS.a.b", "CS.a.c", "CS.a.d", "CS.a.e"];
  const [pass, fail, xfail, error] = ids as [string, string, string, string];
  const { junit } = renderAll(
    [
      result(pass, "pass"),
      result(fail, "fail"),
      result(xfail, "xfail", "known"),
      result(error, "error"),
    ],
    [],
    ids.map((id) => requirement(id)),
  );
  expect(junit).toContain(
    '<testsuite name="hs@1/one/sqlite core" tests="4" failures="1" errors="1" skipped="1"',
  );
  expect(junit).toContain('<skipped message="expected failure: known"/>');
});
