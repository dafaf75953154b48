/** Choosing requirements by id, glob, suite, level and tags. */
import { HarnessError } from "#harness/errors";
import { LEVELS, type Level } from "#harness/results/outcome";
import { didYouMean } from "#harness/suggest";
import type { Catalogue } from "./catalogue.ts";
import type { Requirement } from "./requirement.ts";
import { tagFilter } from "./tags.ts";

/** What is given narrows; an absent or empty list does not. */
export interface Selection {
  /** Ids or globs: `*` stands for any text, dots included. */
  readonly ids?: readonly string[];
  readonly suites?: readonly string[];
  /** Exactly these levels, in any case of letters. */
  readonly levels?: readonly string[];
  /** Expression over tags, see `tagFilter`. */
  readonly tag?: string;
}

/**
 * The requirements of a selection, in catalogue order, retired ones left out.
 * Throws BAD_USAGE for an unknown suite, level, id or tag, and for a glob that matches no id. A selection of known
 * words that have nothing in common is empty, not an error.
 */
export function selectRequirements(
  catalogue: Catalogue,
  selection: Selection = {},
): readonly Requirement[] {
  return listRequirements(catalogue, selection).filter(({ id, retired }) => {
    if (retired !== undefined && selection.ids?.includes(id)) {
      throw new HarnessError("BAD_USAGE", {
        what: `${id} is retired: ${retired}`,
        next: "leave it out",
      });
    }
    return retired === undefined;
  });
}

/** As `selectRequirements`, with the retired ones: for tables, never for a run. */
export function listRequirements(
  catalogue: Catalogue,
  selection: Selection = {},
): readonly Requirement[] {
  const suites = given(selection.suites);
  for (const suite of suites ?? []) requireKnown("suite", suite, catalogue.suites);
  const levels = given(selection.levels)?.map(levelOf);
  const matchers = given(selection.ids)?.map((pattern) => matcherOf(catalogue, pattern));
  const { tag } = selection;
  const hasTags = tag === undefined ? undefined : tagFilter(tag, catalogue.requirements);
  return catalogue.requirements.filter((requirement) => {
    const { id, suite, level } = requirement;
    return (
      (suites === undefined || suites.includes(suite)) &&
      (levels === undefined || levels.includes(level)) &&
      (matchers === undefined || matchers.some((matches) => matches(id))) &&
      (hasTags === undefined || hasTags(requirement))
    );
  });
}

/** The requirement of that id; BAD_USAGE with the nearest one when there is none. */
export function requirementById(catalogue: Catalogue, id: string): Requirement {
  const found = catalogue.byId.get(id);
  if (found !== undefined) return found;
  throw new HarnessError("BAD_USAGE", {
    what: `unknown requirement ${id}`,
    next: suggestion(catalogue, id),
  });
}

function given(values: readonly string[] | undefined): readonly string[] | undefined {
  return values === undefined || values.length === 0 ? undefined : values;
}

function matcherOf(catalogue: Catalogue, pattern: string): (id: string) => boolean {
  if (!pattern.includes("*")) {
    const { id: wanted } = requirementById(catalogue, pattern);
    return (id) => id === wanted;
  }
  const matches = globMatcher(pattern);
  if (!catalogue.requirements.some(({ id }) => matches(id))) {
    const areas = new Set(
      catalogue.requirements.map(({ id }) => `${id.split(".").slice(0, -1).join(".")}.*`),
    );
    throw new HarnessError("BAD_USAGE", {
      what: `no requirement matches ${pattern}`,
      next: didYouMean(pattern, areas),
    });
  }
  return matches;
}

/** Whether an id fits a pattern in which `*` stands for any text, dots included. */
export function globMatcher(pattern: string): (id: string) => boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  return (id) => expression.test(id);
}

function suggestion(catalogue: Catalogue, wrong: string): string {
  const ids = [...catalogue.byId.keys()];
  const area = `${wrong.replace(/\.$/, "")}.`;
  if (ids.some((id) => id.startsWith(area))) return `for the whole area write '${area}*'`;
  return didYouMean(wrong, ids);
}

function levelOf(word: string): Level {
  const level = LEVELS.find((known) => known === word.toUpperCase());
  if (level !== undefined) return level;
  throw new HarnessError("BAD_USAGE", {
    what: `unknown level ${word}`,
    next: didYouMean(word, LEVELS),
  });
}

function requireKnown(kind: string, word: string, known: readonly string[]): void {
  if (known.includes(word)) return;
  throw new HarnessError("BAD_USAGE", {
    what: `unknown ${kind} ${word}`,
    next: didYouMean(word, known),
  });
}
