import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, Evidence, Outcome } from "#harness/results/outcome";
import { WITHHELD } from "#reports/finding";
import { summarise } from "#reports/summarise";
import { renderConsole } from "./console.ts";
import { summaryData } from "./json.ts";
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
    replay: `.runs/x/replay/${id} ${text}.replay.ndjson`,
    picture: `.runs/x/replay/${id} ${text}.call.svg`,
  };
}

const FRAGMENT = "#at=%24event&view=why&key=m.room.topic%7C";

function renderAll(
  results: CheckResult[],
  items: Evidence[],
  requirements: Requirement[],
  disclose = false,
  from = ".",
  fragment = FRAGMENT,
) {
  const byId = new Map(requirements.map((item) => [item.id, item]));
  const summary = summarise({
    path: ".runs/x",
    header: undefined,
    results,
    evidence: items,
    pages: new Map(
      items.map(({ replay = "" }) => [
        replay,
        { page: replay.replace(".replay.ndjson", ".html"), fragment },
      ]),
    ),
    requirements: byId,
  });
  const options = { disclose, from };
  return {
    console: renderConsole(summary, { ...options, colour: false }),
    markdown: renderMarkdown(summary, options),
    junit: renderJunit(summary, options),
    json: JSON.stringify(summaryData(summary, options)),
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

test("each report links the picture of a failed check's call, from where the report lies", () => {
  const id = "CS.a.b";
  const { console, markdown, junit, json } = renderAll(
    [result(id, "fail")],
    [evidence(id, "X")],
    [requirement(id)],
    false,
    ".runs/x",
  );
  expect(console).toMatch(/call +replay\/CS\.a\.b X\.call\.svg/);
  expect(markdown).toContain("- call: [as a picture](<replay/CS.a.b%20X.call.svg>)");
  expect(junit).toContain('<property name="call" value="replay/CS.a.b%20X.call.svg"/>');
  expect(JSON.parse(json).regressions[0].picture.link).toBe("replay/CS.a.b%20X.call.svg");
});

test("each report links the replay of a failure, opened there, from where the report lies", () => {
  const id = "CS.a.b";
  const args = [[result(id, "fail")], [evidence(id, "X")], [requirement(id)]] as const;
  const all = renderAll([...args[0]], [...args[1]], [...args[2]], false, ".runs/x");
  const link = `replay/CS.a.b%20X.html${FRAGMENT}`;
  expect(all.console).toContain(`replay    replay/CS.a.b X.html${FRAGMENT}`);
  expect(all.markdown).toContain(`[at the failing moment](<${link}>)`);
  expect(all.junit).toContain(`<property name="replay" value="${link.replaceAll("&", "&#38;")}"/>`);
  expect(JSON.parse(all.json).regressions[0].replay).toMatchObject({ link });
});

test("what a stored run gives for a place in a page, and is none, is in no link", () => {
  const id = "CS.a.b";
  const args = [[result(id, "fail")], [evidence(id, "X")], [requirement(id)]] as const;
  const odd = '#at="></property>(x)<script>';
  const all = renderAll([...args[0]], [...args[1]], [...args[2]], false, ".runs/x", odd);
  for (const text of Object.values(all)) expect(text).not.toMatch(/script|#at/);
  expect(all.markdown).toContain("(<replay/CS.a.b%20X.html>)");
});

test("what is derived never looks like a sentence of the specification", () => {
  const id = "CS.a.b";
  const all = renderAll([result(id, "fail")], [], [requirement(id, { basis: "derived" })]);
  for (const text of [all.console, all.markdown, all.junit])
    expect(text).toContain("no sentence of the specification");
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

const HOSTILE = [
  "<script>alert(1)</script>",
  "\u001b[31mred\u001b]0;title\u0007\u009b2J",
  "\u202eevil\u2066",
  "```\n# heading\n``````| [link](http://x) ![i](http://y) @everyone",
  "]]> &amp; &\"' <!-- \u0000\u0008\ufffe\uffff\ud800",
  "\nverdict: as expected\r\nMUST   9 met",
].join(" ");

/** One hostile failure, in every place where others' text goes. */
function renderHostile(text: string) {
  const id = "CS.a.b";
  return renderAll(
    [{ ...result(id, "fail", text), check: text, deployment: text }, result(text, "error", text)],
    [
      { ...evidence(id, text), check: text, deployment: text, notes: [text] },
      { ...evidence(text, text), logs: [text] },
    ],
    [requirement(id), requirement(text, { id: text, statement: text, source: text })],
  );
}

test("hostile text does no harm", () => {
  const all = renderHostile(`${HOSTILE} ${"A".repeat(1_000_000)}`);
  for (const text of Object.values(all)) {
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e\u2066\ufffe\uffff]/);
    expect(text.isWellFormed()).toBe(true);
    expect(text.length).toBeLessThan(120_000);
  }
});

test("hostile text can not pretend to be a line of the console", () => {
  const { console } = renderHostile(HOSTILE);
  const lines = console.split("\n");
  expect(lines.filter((line) => /^(verdict|MUST|checks)/.test(line))).toEqual([
    "MUST   0 met of 1 exercised (2 selected)",
    "checks: 1 fail, 1 error",
    "verdict: failed",
  ]);
});

test("hostile text is no markup in Markdown", () => {
  const { markdown } = renderHostile(HOSTILE);
  // What is left without blocks of code and inline code is ours, but for lines of HTML.
  const markup = markdown
    .replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, "")
    .replace(/(?<!`)(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, "")
    // Of a link nothing can end the address.
    .replace(
      /^(- (?:replay: \[at the failing moment|call: \[as a picture)\])\(<[\w%&=#.*!'()~+/-]*>\)/gm,
      "$1",
    )
    .split("\n");
  const isHtml = (line: string) => line.startsWith("<");
  expect(markup.filter((line) => !isHtml(line)).join("\n")).not.toMatch(
    /alert|heading|http|@everyone/,
  );
  const tags = markup.filter(isHtml).flatMap((line) => line.match(/<[^>]*>/g) ?? []);
  expect([...new Set(tags)].sort()).toEqual([
    "</code>",
    "</details>",
    "</summary>",
    "<code>",
    "<details>",
    "<summary>",
  ]);
});

test("JUnit is well-formed XML whatever a server says", ({ skip }) => {
  const { junit } = renderHostile(HOSTILE);
  const script = "import sys, xml.dom.minidom as d; d.parseString(sys.stdin.buffer.read())";
  const { error, status, stderr } = spawnSync("python3", ["-c", script], {
    input: junit,
    encoding: "utf8",
  });
  if (error !== undefined) return skip("python3 is not there to parse it");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("a JUnit failure has all that the console shows", () => {
  const id = "CS.a.b";
  const long = "x".repeat(1_900);
  const { junit } = renderAll([result(id, "fail")], [evidence(id, long)], [requirement(id)]);
  for (const part of [
    "spec §1",
    "The rule.",
    `expected ${long}`,
    `actual ${long}`,
    "GET /x",
    "explain CS.a.b",
  ]) {
    expect(junit).toContain(part);
  }
});

test("trouble of the run itself is in every report", () => {
  const input = {
    path: "p",
    header: undefined,
    results: [],
    evidence: [],
    requirements: new Map(),
  };
  const summary = summarise({ ...input, troubles: ["hs1 did not start"] });
  const options = { disclose: false };
  expect(renderConsole(summary, { ...options, colour: false })).toMatch(
    /hs1 did not start[\s\S]*verdict: error/,
  );
  expect(renderMarkdown(summary, options)).toContain("hs1 did not start");
  expect(renderJunit(summary, options)).toContain('<error message="hs1 did not start"/>');
});

test("trouble that many checks share is told in full once", () => {
  const ids = ["CS.a.b", "CS.a.c", "CS.a.d"];
  const { console } = renderAll(
    ids.map((id) => result(id, "error", "hs1 did not start")),
    [],
    ids.map((id) => requirement(id)),
  );
  expect(console.match(/The rule\./g)).toHaveLength(1);
  for (const id of ids) expect(console).toContain(`  ${id}  MUST`);
});

test("several deployments have their own numbers and those of all", () => {
  const other = { ...result("CS.a.b", "fail"), deployment: "hs@2/one/sqlite" };
  const { console, markdown } = renderAll(
    [result("CS.a.b", "pass"), other],
    [],
    [requirement("CS.a.b")],
  );
  expect(console).toMatch(
    /hs@1[\s\S]*1 met of 1[\s\S]*hs@2[\s\S]*0 met of 1[\s\S]*all together\nMUST {3}1 met of 2/,
  );
  expect(markdown).toContain("| `hs@2/one/sqlite` | MUST | 0 | 1 | 1 |");
});

test("notes are told once each", () => {
  const id = "CS.a.b";
  const noted = { ...evidence(id, ""), notes: ["403, not 404", "403, not 404"] };
  const { console, markdown } = renderAll([result(id, "pass")], [noted], [requirement(id)]);
  for (const text of [console, markdown]) expect(text.split("403, not 404")).toHaveLength(2);
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
