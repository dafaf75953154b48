import { describeFinding, type FindingText, type RenderOptions, tameLine } from "#reports/finding";
import type { Finding, Group, Summary } from "#reports/summarise";
import { type BuildStatus, buildDetailOf, buildMessageOf, buildStatusOf } from "./build-status.ts";

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
  const having = (status: BuildStatus) =>
    findings.filter(({ result }) => buildStatusOf(result) === status).length;
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
  const status = buildStatusOf(result);
  if (status === "passed") return "";
  const message = xml(buildMessageOf(result, text));
  if (status === "skipped") return `      <skipped message="${message}"/>\n`;
  const detail = xml(buildDetailOf(text));
  return `      <${status} type="${result.level}" message="${message}">${detail}</${status}>\n`;
}

/** For text that has been tamed: XML can not hold control characters, not even as references. */
function xml(text: string): string {
  return text.replace(/[&<>"'\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}
