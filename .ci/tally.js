// Counts what the steps of .ci/run wrote into a folder: `*.json` of Vitest, `*/results.jsonl` of runs. Prints the
// names of what failed and the closing line; exit code 1 when anything failed. A step that broke without saying which
// test did is one failure.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder, broken, skippedSteps] = process.argv.slice(2);
const OUTCOMES = {
  pass: "passed",
  xfail: "passed",
  // Nothing is tried again here: a failure that the manifest knows to come and go, which is neither.
  flaky: "skipped",
  xpass: "failed",
  fail: "failed",
  error: "failed",
  "not-run": "failed",
  skip: "skipped",
};
const failures = [];
const total = { passed: 0, failed: 0, skipped: Number(skippedSteps) };

for (const entry of readdirSync(folder)) {
  const file = join(folder, entry);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (entry.endsWith(".json")) {
    const report = JSON.parse(readFileSync(file, "utf8"));
    counts.passed = report.numPassedTests;
    counts.skipped = report.numPendingTests + report.numTodoTests;
    for (const suite of report.testResults) {
      const failed = suite.assertionResults.filter((test) => test.status === "failed");
      if (suite.status === "failed" && suite.assertionResults.length === 0)
        failed.push({ fullName: suite.name, failureMessages: [suite.message] });
      counts.failed += failed.length;
      for (const { fullName, failureMessages } of failed)
        failures.push(`${entry}: ${fullName}: ${String(failureMessages[0]).slice(0, 400)}`);
    }
  } else if (existsSync(join(file, "results.jsonl"))) {
    const info = join(file, "run.json");
    // Of a run that was cut off, nothing says that it was one of mutants: its step broke.
    const isOfMutants =
      existsSync(info) && JSON.parse(readFileSync(info, "utf8")).mode === "mutants";
    for (const line of readFileSync(join(file, "results.jsonl"), "utf8").split("\n")) {
      if (line === "") continue;
      const { kind, outcome, level, requirement, check, reason } = JSON.parse(line);
      if (kind !== "check") continue;
      // A missed SHOULD is reported, and gates nobody; a mutant that lives is a failure of ours, whatever the level.
      const isMissed = outcome === "fail" && level !== "MUST" && !isOfMutants;
      const counted = isMissed ? "passed" : (OUTCOMES[outcome] ?? "failed");
      counts[counted]++;
      if (counted === "failed")
        failures.push(`${entry}: ${outcome} ${requirement} ${check}: ${reason ?? ""}`);
    }
  } else continue;
  console.log(
    `${entry}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`,
  );
  for (const key of Object.keys(total)) total[key] += counts[key];
}
if (total.failed === 0) total.failed += Number(broken);
for (const failure of failures) console.log(failure);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
