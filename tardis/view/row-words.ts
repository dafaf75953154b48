/** What is special about a row, in words: colours and shapes alone tell nothing. */
import { HAS, OUTLIER, REJECTED as REFUSED, SOFT_FAILED } from "#tardis/model/knowledge";
import { CONFLICTS, MERGES, REJECTED } from "./messages.ts";

export type RowWord = readonly [word: string, tone: "plain" | "warn" | "fail"];

/** @param known what the chosen server made of it; undefined while none is chosen */
export function wordsOf(
  { hasGap }: { readonly hasGap: boolean },
  flags: number,
  known: number | undefined,
): readonly RowWord[] {
  const isOn = (bits: number, bit: number) => (bits & bit) !== 0;
  const words: [isSo: boolean, ...RowWord][] = [
    [isOn(flags, CONFLICTS), "conflict", "warn"],
    [isOn(flags, MERGES) && !isOn(flags, CONFLICTS), "merge", "plain"],
    [isOn(flags, REJECTED), "rejected", "fail"],
    [hasGap, "follows what is missing", "warn"],
    [known !== undefined && !isOn(known, HAS), "not there yet", "plain"],
    [isOn(known ?? 0, REFUSED), "rejected there", "fail"],
    [isOn(known ?? 0, SOFT_FAILED), "soft-failed there", "warn"],
    [isOn(known ?? 0, OUTLIER), "outlier there", "plain"],
  ];
  return words.flatMap(([isSo, word, tone]) => (isSo ? [[word, tone] as const] : []));
}
