/** What tools for builds make of an outcome: JUnit and Allure have fewer than we do. */
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { type FindingText, PARTY_TEXT, tameLine } from "#reports/finding";

export type BuildStatus = "passed" | "failure" | "error" | "skipped";

/** What is expected or known stays visible without turning a build red. */
const STATUSES: Readonly<Record<Outcome, BuildStatus>> = {
  pass: "passed",
  fail: "failure",
  error: "error",
  skip: "skipped",
  "not-run": "skipped",
  xfail: "skipped",
  xpass: "failure",
  flaky: "skipped",
};

const PREFIXES: Readonly<Partial<Record<Outcome, string>>> = {
  xfail: "expected failure: ",
  xpass: "passed although a failure is expected: ",
  flaky: "flaky: ",
};

/** A client library's failure is none of the build's that tries a server. */
export function buildStatusOf({ outcome, party }: CheckResult): BuildStatus {
  const status = STATUSES[outcome];
  return party === "client" && status === "failure" ? "skipped" : status;
}

/** One line: whose it is, whether it was expected, and why. */
export function buildMessageOf({ outcome, party }: CheckResult, { reason }: FindingText): string {
  const whose = party === undefined ? "" : `${PARTY_TEXT[party]}: `;
  return `${whose}${PREFIXES[outcome] ?? ""}${tameLine(reason ?? "")}`;
}

/** All that a reader needs to understand a failure, as lines. */
export function buildDetailOf(text: FindingText): string {
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
