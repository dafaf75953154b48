/** Findings of a search: their files, and how they are told. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { type Found, sizeOf } from "#chaos/search/collection";
import { findingFile, versionsOf } from "#chaos/search/finding-file";
import { storyOf } from "#chaos/search/words";
import { colour, print } from "#cli/io";
import { makeFolder, writing } from "#cli/writing";

/**
 * Returns the paths.
 *
 * @param nameOf without its ending
 * @throws HarnessError BAD_FILE
 */
export function writeFindings<T extends Found>(
  findings: readonly T[],
  folder: string,
  nameOf: (finding: T) => string,
): readonly string[] {
  if (findings.length > 0) makeFolder(folder);
  return writing(folder, "name another folder with --out", () =>
    findings.map((finding) => {
      const name = nameOf(finding);
      const file = path.join(folder, `${name}.json`);
      writeFileSync(file, `${JSON.stringify(findingFile(finding, name), null, 1)}\n`);
      return file;
    }),
  );
}

export function printFinding(finding: Found, size: string, file: string | undefined): void {
  const { resetClass, resets, situation } = finding;
  print(`${colour.red(resetClass)} in ${versionsOf(resets).join(" and ")}, ${size}, ${file}`);
  for (const line of storyOf(situation)) print(`  ${line}`);
}

/** As `--json` prints it. */
export function findingData(finding: Found, file: string | undefined) {
  return {
    class: finding.resetClass,
    events: sizeOf(finding),
    versions: versionsOf(finding.resets),
    file,
    story: storyOf(finding.situation),
  };
}

/** As in: A 3 events, D 2 events. Findings of a class stand with the smallest first. */
export function smallestOf(findings: readonly Found[]): string {
  const smallest = new Map<string, number>();
  for (const finding of findings) {
    const { resetClass } = finding;
    if (!smallest.has(resetClass)) smallest.set(resetClass, sizeOf(finding));
  }
  if (smallest.size === 0) return "nothing found";
  return [...smallest].map(([name, size]) => `${name} ${size} events`).join(", ");
}
