import { describeFinding, type FindingText, type RenderOptions, tame } from "#reports/finding";
import type { Finding, Summary } from "#reports/summarise";

/** JUnit XML: a suite a deployment and suite, expected failures visible as skipped with their reason. */
export function renderJunit(summary: Summary, options: RenderOptions): string {
  const groups = Map.groupBy(
    summary.findings,
    ({ result }) => `${result.deployment} ${result.suite}`,
  );
  const suites = [...groups].map(([name, findings]) => suite(name, findings, options));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="crucible">\n${suites.join("")}</testsuites>\n`;
}

function suite(name: string, findings: readonly Finding[], options: RenderOptions): string {
  const cases = findings.map((finding) => testCase(name, finding, options));
  // JUnit's own attributes: they repeat the elements below, readers expect them.
  const having = (element: string) => cases.filter((text) => text.includes(`<${element} `)).length;
  const seconds = findings.reduce((sum, { result }) => sum + result.durationMs, 0) / 1000;
  const attributes = `tests="${cases.length}" failures="${having("failure")}" errors="${having("error")}" skipped="${having("skipped")}" time="${seconds}"`;
  return `  <testsuite name="${xml(name)}" ${attributes}>\n${cases.join("")}  </testsuite>\n`;
}

function testCase(name: string, finding: Finding, options: RenderOptions): string {
  const { result } = finding;
  const text = describeFinding(finding, options);
  const open = `    <testcase classname="${xml(name)}" name="${xml(`${text.id} ${text.check}`)}" time="${result.durationMs / 1000}">\n`;
  const properties = `      <properties><property name="level" value="${xml(text.level)}"/><property name="outcome" value="${result.outcome}"/></properties>\n`;
  return `${open}${properties}${body(result.outcome, text)}    </testcase>\n`;
}

function body(outcome: Finding["result"]["outcome"], text: FindingText): string {
  const message = xml((text.reason ?? "").split("\n")[0] ?? "");
  switch (outcome) {
    case "pass":
      return "";
    case "fail":
      return `      <failure message="${message}">${xml(detail(text))}</failure>\n`;
    case "flaky":
      return `      <failure message="flaky: ${message}">${xml(detail(text))}</failure>\n`;
    case "xpass":
      return `      <failure message="passed although a failure is expected: delete the entry">${xml(text.rule)}</failure>\n`;
    case "error":
      return `      <error message="${message}">${xml(detail(text))}</error>\n`;
    case "xfail":
      return `      <skipped message="expected failure: ${message}"/>\n`;
    case "skip":
    case "not-run":
      return `      <skipped message="${message}"/>\n`;
  }
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

function xml(text: string): string {
  return tame(text).replace(/[&<>"'\n]/g, (character) => `&#${character.charCodeAt(0)};`);
}
