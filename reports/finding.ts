/** What a report may say of a finding, and how: hostile text made harmless, sensitive evidence withheld. */
import path from "node:path";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, OtherParty, Outcome } from "#harness/results/outcome";
import type { Finding } from "./summarise.ts";

export const WITHHELD = "withheld: report it privately to the server's maintainers";
/** The same in results themselves, which are made to be shared. */
export const WITHHELD_HERE = "withheld: see evidence.jsonl in the local run directory";

export interface RenderOptions {
  /** Folder from which links go; the working directory unless given. */
  readonly from?: string;
  /** Shows evidence of sensitive findings. */
  readonly disclose: boolean;
}

export interface FindingText {
  readonly id: string;
  /** `MUST`, and where it is no sentence of a specification or judges no server, that. */
  readonly level: string;
  readonly source: string;
  readonly rule: string;
  readonly check: string;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  readonly reason: string | undefined;
  readonly exchange: string | undefined;
  readonly logs: readonly string[];
  readonly replay: ReplayText | undefined;
  readonly picture: PictureText | undefined;
  readonly more: string;
}

/** Outcomes whose details tell how a server fails; the others show nothing of it. */
const REVEALING: readonly Outcome[] = ["fail", "error", "xfail", "flaky"];
/** Longest text of a server that a report repeats. */
const LIMIT = 2_000;
/** As URLSearchParams writes it. */
const FRAGMENT = /^#[\w%&=.*+-]{0,2000}$/;
const BASIS: Readonly<Record<string, string>> = {
  derived: "derived, no sentence of the specification",
  practice: "practice of clients, no sentence of the specification",
};

/** Whether reports keep the details of a finding to themselves. */
export function isWithheld(
  { result, requirement }: Pick<Finding, "result" | "requirement">,
  { disclose }: Pick<RenderOptions, "disclose">,
): boolean {
  // A requirement that this version does not know may have been sensitive: better to say too little.
  const isSensitive = requirement?.sensitive ?? true;
  return isSensitive && !disclose && REVEALING.includes(result.outcome);
}

/** A result as it may leave the machine, whatever wrote it. */
export function withheldResult(
  result: CheckResult,
  requirements: ReadonlyMap<string, Requirement>,
): CheckResult {
  const requirement = requirements.get(result.requirement);
  const isHidden = isWithheld({ result, requirement }, { disclose: false });
  return isHidden && result.reason !== undefined ? { ...result, reason: WITHHELD_HERE } : result;
}

export function describeFinding(finding: Finding, options: RenderOptions): FindingText {
  const { result, requirement, evidence } = finding;
  const basis = BASIS[requirement?.basis ?? "text"];
  const id = tameLine(result.requirement);
  const common = {
    id,
    level: levelText(result, basis),
    source: tameLine(requirement?.source ?? "unknown to this version of the requirements"),
    rule: tameLine(requirement?.statement ?? ""),
    check: tameLine(result.check),
    more: `npm run -s crucible -- explain ${id}`,
  };
  if (isWithheld(finding, options)) {
    return {
      ...common,
      expected: WITHHELD,
      actual: WITHHELD,
      reason: WITHHELD,
      exchange: undefined,
      logs: [],
      replay: undefined,
      picture: undefined,
    };
  }
  const reason = options.disclose ? (evidence?.message ?? result.reason) : result.reason;
  return {
    ...common,
    expected: tamed(evidence?.expected),
    actual: tamed(evidence?.actual),
    reason: tamed(reason),
    exchange: tamed(evidence?.exchange),
    logs: (evidence?.logs ?? []).map(tameLine),
    replay: replayText(finding, options),
    picture: pictureText(finding, options),
  };
}

/** Who has missed it, where that is not the homeserver. */
export const PARTY_TEXT: Readonly<Record<OtherParty, string>> = {
  client: "of a client library",
  rtc: "of the RTC authorization service",
  sfu: "of the SFU",
};

function levelText({ level, party }: CheckResult, basis: string | undefined): string {
  const remarks = [party && PARTY_TEXT[party], basis];
  const told = remarks.filter((remark) => remark !== undefined).join("; ");
  return told === "" ? level : `${level} (${told})`;
}

/** A recording, or what shows it: paths as seen from where the report lies. */
export interface ReplayText {
  readonly file: string;
  /** The page, opened at the failure: a file, and behind `#` the place in it. */
  readonly page: string | undefined;
  /** The same as a link, percent-encoded. */
  readonly link: string | undefined;
  readonly note: string | undefined;
}

/** A picture of the check's call: its path as seen from where the report lies, and the same as a link. */
export interface PictureText {
  readonly file: string;
  readonly link: string;
}

function pictureText({ evidence }: Finding, { from }: RenderOptions): PictureText | undefined {
  if (evidence?.picture === undefined) return undefined;
  const file = tameLine(path.relative(from ?? "", evidence.picture));
  return { file, link: linkTo(file) };
}

function linkTo(file: string): string {
  return file.split(path.sep).map(encodeURIComponent).join("/");
}

function replayText(
  { evidence, page: found }: Finding,
  { from }: RenderOptions,
): ReplayText | undefined {
  if (evidence?.replay === undefined) return undefined;
  const seen = (file: string) => tameLine(path.relative(from ?? "", file));
  const { page, note } = found ?? {};
  // A run may come from anywhere.
  const fragment = found?.fragment?.match(FRAGMENT)?.[0] ?? "";
  const encoded = (file: string) => linkTo(seen(file));
  return {
    file: seen(evidence.replay),
    page: page === undefined ? undefined : seen(page) + fragment,
    link: page === undefined ? undefined : encoded(page) + fragment,
    note: note === undefined ? undefined : tameLine(note),
  };
}

/**
 * Text without control characters, terminal escapes and marks that turn the direction of writing, not longer than a
 * report can bear. Line ends stay: whoever prints it beside other things indents them, or uses `tameLine`.
 */
export function tame(text: string): string {
  const clean = text
    .slice(0, LIMIT * 2)
    .replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, "")
    .replace(/\r\n/g, "\n")
    .replace(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]/g,
      "\ufffd",
    )
    .slice(0, LIMIT)
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return text.length <= LIMIT ? clean : `${clean}… (${text.length} characters)`;
}

/** The same on one line: it can not pretend to be a line of the report. */
export function tameLine(text: string): string {
  return tame(text).replace(/\s+/g, " ").trim();
}

function tamed(text: string | undefined): string | undefined {
  return text === undefined ? undefined : tame(text);
}
