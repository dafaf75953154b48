import { colour, print, printJson } from "#cli/io";
import type { CheckReport } from "#harness/world/run-info";

/**
 * Prints the verdicts on mutants; returns the exit code: 1 when a check let one live or has none, 3 when one only gave no verdict,
 * 4 when there were none.
 */
export function showMutants(reports: readonly CheckReport[], asJson: boolean): number {
  const sorted = [...reports].sort((left, right) =>
    left.requirement < right.requirement ? -1 : 1,
  );
  const rows = sorted.flatMap(({ requirement, title, mutants = [] }) =>
    mutants.map((mutant) => ({ requirement, check: title, ...mutant })),
  );
  const skipped = sorted.filter(({ outcome }) => outcome === "skip");
  const unproven = sorted.filter(
    ({ outcome, mutants = [] }) => outcome !== "skip" && mutants.length === 0,
  );
  const moot = rows.filter(({ verdict }) => verdict === "moot");
  const killed = rows.filter(({ verdict }) => verdict === "killed");
  const open = rows.filter((row) => !moot.includes(row) && !killed.includes(row));
  if (asJson) {
    printJson({
      killed: killed.length,
      moot: moot.length,
      mutants: rows,
      unproven: unproven.map(({ requirement, title }) => ({ requirement, check: title })),
    });
  } else {
    for (const { requirement, name, verdict, detail } of open) {
      print(
        `${colour.red(verdict.padEnd(9))} ${requirement}: ${name}\n          ${detail.split("\n")[0]}`,
      );
    }
    for (const { requirement, title } of unproven)
      print(`${colour.red("no mutant")} ${requirement}: ${title}`);
    print(
      `${killed.length} of ${rows.length} mutants killed, ${moot.length} moot as the server breaks the rule itself, ` +
        `${unproven.length} checks without one, ${skipped.length} checks skipped as unsupported`,
    );
  }
  if (rows.length === 0) return 4;
  const hasLiving = open.some(({ verdict }) => verdict !== "error");
  if (hasLiving || unproven.length > 0) return 1;
  return open.length > 0 ? 3 : 0;
}
