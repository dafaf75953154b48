/** Small catalogues for the specs of this folder. */
import type { Catalogue } from "./catalogue.ts";
import type { CheckIndex, IndexedCheck } from "./check-index.ts";
import { type Requirement, requirementSchema } from "./requirement.ts";

export function requirement(id: string, more: Partial<Requirement> = {}): Requirement {
  const { suite = "core", ...rest } = more;
  const item = {
    id,
    level: "MUST",
    basis: "text",
    source: "s",
    statement: `rule of ${id}`,
    check: "c",
    ...rest,
  };
  return { ...requirementSchema.parse(item), suite };
}

export function catalogueOf(...requirements: readonly Requirement[]): Catalogue {
  return {
    requirements,
    byId: new Map(requirements.map((item) => [item.id, item])),
    hash: "0123456789abcdef",
    suites: [...new Set(requirements.map(({ suite }) => suite))],
  };
}

export function indexOf(
  ...checks: readonly (Pick<IndexedCheck, "id"> & Partial<IndexedCheck>)[]
): CheckIndex {
  const full = checks.map((check, position) => ({
    title: "the server does it",
    suite: "core",
    file: "/root/suites/core/a.test.ts",
    line: position + 1,
    mutants: false,
    ...check,
  }));
  return { checks: full, unreadable: [], byId: Map.groupBy(full, ({ id }) => id) };
}
