/**
 * Results as Allure 2 and 3 read them: a JSON file for each check, beside it what it links
 * (https://allurereport.org/docs/how-it-works-test-result-file). Written by us: the adapters lose the deployment.
 */
import { createHash } from "node:crypto";
import {
  describeFinding,
  type FindingText,
  isWithheld,
  type RenderOptions,
  tameLine,
} from "#reports/finding";
import { sourceLinks } from "#reports/source-links";
import { areaOf, type Finding, type Summary } from "#reports/summarise";
import { type BuildStatus, buildDetailOf, buildMessageOf, buildStatusOf } from "./build-status.ts";
import { html } from "./markdown.ts";
import { notesOf } from "./words.ts";

export interface AllureOptions extends RenderOptions {
  /** Epoch milliseconds, for results that have no time of their own: baselines, and those of older harnesses. */
  readonly startedAt: number;
  /** Why messages could not be read, a page of Markdown each. */
  readonly undecryptable: ReadonlyMap<Finding, string>;
  /** Of the job that ran it, where there is one. */
  readonly executor?: Readonly<Record<string, string>>;
}

export interface AllureFiles {
  /** By name. */
  readonly texts: ReadonlyMap<string, string>;
  /** Files of the run to put beside them, by the name that they get there. */
  readonly copies: ReadonlyMap<string, string>;
}

const STATUSES: Readonly<Record<BuildStatus, string>> = {
  passed: "passed",
  failure: "failed",
  error: "broken",
  skipped: "skipped",
};
const SEVERITIES = { MUST: "critical", SHOULD: "normal", MAY: "minor" } as const;

/** By the beginning of the message, which is ours. */
const CATEGORIES = [
  { name: "MUST missed", matchedStatuses: ["failed"], messageRegex: "(?s)^MUST: .*" },
  { name: "SHOULD missed", matchedStatuses: ["failed"], messageRegex: "(?s)^SHOULD: .*" },
  { name: "MAY missed", matchedStatuses: ["failed"], messageRegex: "(?s)^MAY: .*" },
  {
    name: "Expected failures",
    matchedStatuses: ["skipped"],
    messageRegex: "(?s)^[A-Z]+: expected failure: .*",
  },
  { name: "Flaky", matchedStatuses: ["skipped"], messageRegex: "(?s)^[A-Z]+: flaky: .*" },
  { name: "Trouble of the harness or of the machine", matchedStatuses: ["broken"] },
];

export function allureResults(summary: Summary, options: AllureOptions): AllureFiles {
  const texts = new Map<string, string>();
  const copies = new Map<string, string>();
  const add = (name: string, content: string) => {
    texts.set(name, content);
    return name;
  };
  for (const finding of summary.groups.flatMap(({ findings }) => findings)) {
    const text = describeFinding(finding, options);
    const id = uuidOf(finding);
    const attachments = attachmentsOf(finding, text, options).map(({ name, type, ...rest }, at) => {
      const source = `${id}-${at + 1}-attachment.${EXTENSIONS[type]}`;
      if ("file" in rest) copies.set(source, rest.file);
      else add(source, rest.content);
      return { name, source, type };
    });
    const result = { uuid: id, ...resultOf(finding, text, options), attachments };
    add(`${id}-result.json`, json(result));
  }
  // Trouble of the run itself has no check, and must not be missing from a report that is looked at.
  for (const [at, trouble] of summary.troubles.entries()) {
    const id = digest(`trouble ${at}`).slice(0, 32);
    const message = tameLine(trouble);
    const times = { stage: "finished", start: options.startedAt, stop: options.startedAt };
    const statusDetails = { message };
    const names = { name: "the run itself", fullName: "the run itself", historyId: id };
    add(
      `${id}-result.json`,
      json({ uuid: id, ...names, status: "broken", ...times, statusDetails }),
    );
  }
  add("environment.properties", environmentOf(summary));
  add("categories.json", json(CATEGORIES));
  if (options.executor !== undefined) add("executor.json", json(options.executor));
  return { texts, copies };
}

function resultOf(finding: Finding, text: FindingText, options: AllureOptions) {
  const { result, requirement } = finding;
  const own = Date.parse(result.startedAt ?? "");
  const start = Number.isFinite(own) ? own : options.startedAt;
  const status = buildStatusOf(result);
  const deployment = tameLine(result.deployment);
  const area = areaOf(text.id);
  const labels = Object.entries({
    parentSuite: deployment,
    suite: tameLine(result.suite),
    subSuite: area,
    epic: tameLine(result.suite),
    feature: area,
    story: text.id,
    severity: SEVERITIES[result.level],
    requirement: text.id,
    level: result.level,
    ...(area.startsWith("MSC") ? { msc: area } : {}),
    basis: requirement?.basis ?? "unknown",
    party: result.party ?? "server",
    outcome: result.outcome,
    tag: result.outcome,
    framework: "crucible",
  }).map(([name, value]) => ({ name, value }));
  const said = buildMessageOf(result, text);
  return {
    // The deployment is part of it: else results of two servers are taken for tries of one test.
    historyId: digest(keyOf(finding)),
    testCaseId: digest(`${result.requirement}\0${result.check}`),
    fullName: `${text.id}: ${text.check}`,
    name: `${text.id} ${text.check}`,
    description: `${html(text.rule)}\n\n${html(text.level)}, ${html(text.source)}`,
    status: STATUSES[status],
    statusDetails: {
      ...(status === "passed" ? {} : { message: `${result.level}: ${said}` }),
      ...(status === "failure" || status === "error" ? { trace: buildDetailOf(text) } : {}),
      known: result.outcome === "xfail",
      flaky: result.outcome === "flaky",
    },
    stage: "finished",
    start,
    stop: start + result.durationMs,
    labels,
    parameters: [{ name: "deployment", value: deployment }],
    links: sourceLinks([text.id, text.source].join(" ")).map(({ name, url }) => ({
      name,
      url,
      type: "link",
    })),
    steps: [],
  };
}

const EXTENSIONS = { "text/plain": "txt", "text/html": "html", "image/svg+xml": "svg" } as const;

type Attachment = { readonly name: string; readonly type: keyof typeof EXTENSIONS } & (
  | { readonly content: string }
  | { readonly file: string }
);

function attachmentsOf(
  finding: Finding,
  text: FindingText,
  options: AllureOptions,
): readonly Attachment[] {
  const plain = (name: string, content: string | undefined): readonly Attachment[] =>
    content === undefined || content === "" ? [] : [{ name, type: "text/plain", content }];
  // Pages are large, and nobody waits for that of an expected failure.
  const isRed = ["failure", "error"].includes(buildStatusOf(finding.result));
  const page = isRed && !isWithheld(finding, options) ? finding.page?.page : undefined;
  const picture = text.picture === undefined ? undefined : finding.evidence?.picture;
  return [
    ...plain("exchange", text.exchange),
    ...plain("server log", text.logs.join("\n")),
    ...plain("messages that could not be read", undecryptableOf(finding, options)),
    ...plain("why they could not be read", whyUndecryptable(finding, options)),
    ...plain("notes, no verdict", notesOf(finding, options).join("\n")),
    ...plain("replay", replayOf(text)),
    ...(page === undefined
      ? []
      : [{ name: "replay page", type: "text/html", file: page } as const]),
    ...(picture === undefined
      ? []
      : [{ name: "call", type: "image/svg+xml", file: picture } as const]),
  ];
}

function replayOf({ replay }: FindingText): string | undefined {
  if (replay === undefined) return undefined;
  const { file, page, note } = replay;
  return [
    `recording: ${file}`,
    ...(page === undefined ? [] : [`at the failing moment: ${page}`]),
    ...(note === undefined ? [] : [note]),
  ].join("\n");
}

/** The ids with which forensics begins, and how. */
function undecryptableOf(finding: Finding, options: RenderOptions): string | undefined {
  const found = finding.evidence?.undecryptable ?? [];
  if (found.length === 0 || isWithheld(finding, options)) return undefined;
  return found
    .map(({ message, user, device, why, event, room, session }) =>
      tameLine(
        `${message}: ${user}/${device} could not read ${event} of ${room} (session ${session}): ${why}; ` +
          `crucible utd explain <run directory> '${event}'`,
      ),
    )
    .join("\n");
}

function whyUndecryptable(finding: Finding, options: AllureOptions): string | undefined {
  if (isWithheld(finding, options)) return undefined;
  return options.undecryptable.get(finding)?.split("\n").map(tameLine).join("\n");
}

/** Java properties: nothing of others can begin a line or name another key. */
function environmentOf({ header, deployments }: Summary): string {
  const value = (text: string) =>
    tameLine(text)
      .replaceAll("\\", "\\\\")
      .replace(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const rows = [
    ["harness", header?.harness ?? "unknown"],
    ["requirements", header?.requirements ?? "unknown"],
    ...deployments.map(({ name }, at) => [`deployment.${at + 1}`, name] as const),
  ] as const;
  return rows.map(([key, text]) => `${key} = ${value(text)}\n`).join("");
}

function uuidOf(finding: Finding): string {
  return digest(`result\0${keyOf(finding)}`);
}

function keyOf({ result }: Finding): string {
  return `${result.deployment}\0${result.requirement}\0${result.check}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text.toWellFormed()).digest("hex").slice(0, 32);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}
