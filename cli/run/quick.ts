/** The preset `quick`: what one runs between two changes. */
import type { CheckIndex } from "#harness/requirements/check-index";
import type { Requirement } from "#harness/requirements/requirement";

/** The suite that everything else stands on. */
const WHOLE = "core";
/** Requirements of each area of the other suites. */
const PER_AREA = 2;

/** All of core, and a cut through every other suite: the first requirements with checks of each of their areas. */
export function quickCut(
  requirements: readonly Requirement[],
  { byId }: Pick<CheckIndex, "byId">,
): readonly Requirement[] {
  const taken = new Map<string, number>();
  return requirements.filter(({ id, suite }) => {
    if (suite === WHOLE) return true;
    if (!byId.has(id)) return false;
    const area = id.split(".").slice(0, 2).join(".");
    const count = taken.get(area) ?? 0;
    taken.set(area, count + 1);
    return count < PER_AREA;
  });
}
