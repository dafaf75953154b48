import type { CheckResult, Outcome } from "#harness/results/outcome";
import {
  describeFinding,
  type FindingText,
  PARTY_TEXT,
  type RenderOptions,
  tameLine,
} from "#reports/finding";
import type { Finding, Group, Summary } from "#reports/summarise";

type Element = "failure" | "error" | "skipped";

/** What JUnit has for an outcome. What is expected or known stays visible without turning a build red. */
const ELEMENTS: Readonly<Record<Outcome, Element | undefined>> = {
  pass: undefined,
  fail: "failure",
  error: "error",
  skip: "skipped",
  "not-run": "skipped",
  xfail: "skipped",
  xpass: "failure",
  flaky: "skipped",
};

/** A client library's failure is none of the build's that tries a server. */
function elementOf({ outcome, party }: CheckResult): Element | undefined {
  const element = ELEMENTS[outcome];
  return party === "client" && element === "failure" ? "skipped" : element;
}

const PREFIXES: Readonly<Partial<Record<Outcome, string>>> = {
  xfail: "expected failure: ",
  xpass: "passed although a failure is expected: ",
  flaky: "flaky: ",
};

/** JUnit XML: a suite for each deployment and suite. */
export function renderJunit(summary: Summary, options: RenderOptions): string {
  const suites = summary.groups.map((group) => suite(group, options));
  // Trouble of the run itself has no check: it is a suite of its own, so that no reader takes the file for a success.
  const troubles = summary.troubles.map(
    (trouble) =>
      `  <testsuite name="crucible" tests="1" failures="0" errors="1" skipped="0" time="0">\n` +
      `    <testcase classname="crucible" name="the run itself" time="0">\n` +
      `      <error message="${xml(tameLine(trouble))}"/>\n    </testcase>\n  </testsuite>\n`,
  );
  const body = [...suites, ...troubles].join("");
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="crucible">\n${body}</testsuites>\n`;
}

function suite({ deployment, suite, durationMs, findings }: Group, options: RenderOptions) {
  const name = `${deployment} ${suite}`;
  const having = (element: Element) =>
    findings.filter(({ result }) => elementOf(result) === element).length;
  const attributes = [
    `name="${xml(tameLine(name))}"`,
    `tests="${findings.length}"`,
    `failures="${having("failure")}"`,
    `errors="${having("error")}"`,
    `skipped="${having("skipped")}"`,
    `time="${durationMs / 1000}"`,
  ];
  const cases = findings.map((finding) => testCase(name, finding, options));
  return `  <testsuite ${attributes.join(" ")}>\n${cases.join("")}  </testsuite>\n`;
}

function testCase(name: string, finding: Finding, options: RenderOptions): string {
  const { result } = finding;
  const text = describeFinding(finding, options);
  const time = result.durationMs / 1000;
  return (
    `    <testcase classname="${xml(tameLine(name))}" name="${xml(`${text.id} ${text.check}`)}" time="${time}">\n` +
    `      <properties><property name="level" value="${xml(text.level)}"/>` +
    `<property name="outcome" value="${result.outcome}"/>${replay(text)}${picture(text)}</properties>\n` +
    `${body(finding, text)}    </testcase>\n`
  );
}

function replay({ replay }: FindingText): string {
  if (replay === undefined) return "";
  const note =
    replay.note === undefined ? "" : `<property name="replay-note" value="${xml(replay.note)}"/>`;
  return `<property name="replay" value="${xml(replay.link ?? replay.file)}"/>${note}`;
}

function picture({ picture: drawn }: FindingText): string {
  return drawn === undefined ? "" : `<property name="call" value="${xml(drawn.link)}"/>`;
}

function body({ result }: Finding, text: FindingText): string {
  const element = elementOf(result);
  if (element === undefined) return "";
  const party = result.party === undefined ? "" : `${PARTY_TEXT[result.party]}: `;
  const message = xml(`${party}${PREFIXES[result.outcome] ?? ""}${tameLine(text.reason ?? "")}`);
  if (element === "skipped") return `      <skipped message="${message}"/>\n`;
  return `      <${element} type="${result.level}" message="${message}">${xml(detail(text))}</${element}>\n`;
}

function detail(text: FindingText): string {
  return [
    `${text.level} ${text.source}`,
    `rule: ${text.rule}`,
    ...(text.expected === undefined
      ? []
      : [`expected: ${text.expected}`, `actual: ${text.actual ?? ""}`]),
    ...(text.exchange === undefined ? [] : [text.exchange]),
    ...text.logs,
    `more: ${text.more}`,
  ].join("\n");
}

/** For text that has been tamed: XML can not hold control characters, not even as references. */
function xml(text: string): string {
  return text.replace(/[&<>"'\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}
