/** What a report may say of a finding, and how: hostile text made harmless, sensitive evidence withheld. */
import type { Finding } from "./summarise.ts";

export const WITHHELD = "withheld: report it privately to the server's maintainers";

export interface RenderOptions {
  /** Shows evidence of sensitive findings. */
  readonly disclose: boolean;
}

export interface FindingText {
  readonly id: string;
  /** `MUST`, and where it is no sentence of a specification, that. */
  readonly level: string;
  readonly source: string;
  readonly rule: string;
  readonly check: string;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  readonly reason: string | undefined;
  readonly exchange: string | undefined;
  readonly logs: readonly string[];
  readonly more: string;
}

/** Longest text of a server that a report repeats. */
const LIMIT = 2_000;
const BASIS: Readonly<Record<string, string>> = {
  derived: "derived, no sentence of the specification",
  practice: "practice of clients, no sentence of the specification",
};

export function describeFinding(
  { result, requirement, evidence }: Finding,
  { disclose }: RenderOptions,
): FindingText {
  const basis = BASIS[requirement?.basis ?? "text"];
  const common = {
    id: tame(result.requirement),
    level: basis === undefined ? result.level : `${result.level} (${basis})`,
    source: tame(requirement?.source ?? "unknown to this version of the requirements"),
    rule: tame(requirement?.statement ?? ""),
    check: tame(result.check),
    more: `npm run -s crucible -- explain ${tame(result.requirement)}`,
  };
  // A requirement that this version does not know may have been sensitive: better to say too little.
  const isWithheld = (requirement?.sensitive ?? true) && !disclose && result.outcome !== "skip";
  if (isWithheld) {
    return {
      ...common,
      expected: WITHHELD,
      actual: WITHHELD,
      reason: WITHHELD,
      exchange: undefined,
      logs: [],
    };
  }
  return {
    ...common,
    expected: tamed(evidence?.expected),
    actual: tamed(evidence?.actual),
    reason: tamed(disclose ? (evidence?.message ?? result.reason) : result.reason),
    exchange: tamed(evidence?.exchange),
    logs: (evidence?.logs ?? []).map(tame),
  };
}

/**
 * Text without control characters, terminal escapes and marks that turn the direction of writing, not longer than a
 * report can bear.
 */
export function tame(text: string): string {
  const clean = text
    .slice(0, LIMIT * 2)
    .replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, "")
    .replace(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
      "\ufffd",
    )
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return text.length <= LIMIT && clean.length <= LIMIT
    ? clean
    : `${clean.slice(0, LIMIT)}… (${text.length} characters)`;
}

function tamed(text: string | undefined): string | undefined {
  return text === undefined ? undefined : tame(text);
}
