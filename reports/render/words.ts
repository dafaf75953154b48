/** Words that the renderers share. */
import { isWithheld, type RenderOptions, tameLine, WITHHELD } from "#reports/finding";
import type { Finding, Summary } from "#reports/summarise";

export const VERDICTS: Readonly<Record<Summary["verdict"], string>> = {
  ok: "as expected",
  failed: "failed",
  error: "error",
  "nothing-ran": "nothing ran",
};

/** "3 pass, 1 fail"; what did not occur is left out. */
export function countsText(counts: Summary["counts"]): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${outcome}`);
  return parts.join(", ") || "none";
}

/** Of a text of others so much as fits into a line or a cell; reports for programs have all of it. */
export function clip(text: string, longest = 300): string {
  const line = tameLine(text);
  return line.length <= longest ? line : `${line.slice(0, longest)}…`;
}

/** Notes of a check, each different one once, one line each. */
export function notesOf(finding: Finding, options: RenderOptions): readonly string[] {
  if (isWithheld(finding, options)) return [WITHHELD];
  return [...new Set((finding.evidence?.notes ?? []).map(tameLine))];
}
