/** The preset `quick`: what one runs between two changes. */
import type { CheckIndex } from "#harness/requirements/check-index";
import type { Requirement } from "#harness/requirements/requirement";

/** The suite that everything else stands on. */
const WHOLE = "core";

/** All of core, and a cut through every other suite: the first requirement with checks of each of their areas. */
export function quickCut(
  requirements: readonly Requirement[],
  { byId }: Pick<CheckIndex, "byId">,
): readonly Requirement[] {
  const taken = new Set<string>();
  return requirements.filter(({ id, suite }) => {
    if (suite === WHOLE) return true;
    const area = id.split(".").slice(0, 2).join(".");
    if (!byId.has(id) || taken.has(area)) return false;
    taken.add(area);
    return true;
  });
}
