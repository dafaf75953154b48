/** Allure 2 as a program: it needs Java, and is fetched when it is first asked for. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { writing } from "#cli/writing";
import { HarnessError } from "#harness/errors";

/**
 * No dependency of ours: 33 MB that only who wants this file needs, and that need Java besides. npx keeps it for the next time.
 */
const ALLURE = "allure-commandline@2.46.1";
const PATIENCE_MS = 300_000;
const JAVA = "java";

/** It ends before a compiler that optimizes and a collector with threads have paid: a third less time. */
const JAVA_OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1";

/** Makes one HTML file of a folder of results. @throws HarnessError NO_JAVA, INSTALL_FAILED */
export async function singleFile(results: string, file: string): Promise<void> {
  requireJava();
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-allure-"));
  try {
    const report = path.join(folder, "report");
    const args = ["generate", results, "--single-file", "--clean", "--output", report];
    const command = ["--yes", ALLURE, ...args];
    const { error, status, stderr, stdout } = spawnSync("npx", command, {
      encoding: "utf8",
      timeout: PATIENCE_MS,
      // What the user sets comes after ours, and wins.
      env: { ...process.env, ALLURE_OPTS: `${JAVA_OPTIONS} ${process.env.ALLURE_OPTS ?? ""}` },
    });
    const index = path.join(report, "index.html");
    if (error !== undefined || status !== 0 || !existsSync(index)) {
      const said = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-10);
      throw new HarnessError("INSTALL_FAILED", {
        what: `${ALLURE} made no report`,
        facts: [error === undefined ? `exit code ${status}` : String(error), ...said],
        next: "write the results alone with --allure <folder>, and hand them to an Allure of your own",
      });
    }
    writing(`the report ${file}`, "name a file in a folder that exists", () =>
      copyFileSync(index, file),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function requireJava(): void {
  const { error, status } = spawnSync(JAVA, ["-version"], { encoding: "utf8" });
  if (error === undefined && status === 0) return;
  throw new HarnessError("NO_JAVA", {
    what: "Allure makes its one file with Java, and there is none",
    facts: [error === undefined ? `java -version ended with ${status}` : String(error)],
    next: "install Java 17 or newer, or write the results with --allure <folder> and run `npx allure@3.18.0 generate <folder>`, which needs none",
  });
}
