/** One verdict as a page of Markdown, for issue reports. What servers and users wrote is text, whatever is in it. */
import type { Utd } from "./explain.ts";
import { clock } from "./judged.ts";
import { ROOTS } from "./roots.ts";

const MOST_CHARACTERS = 300;
const WORDS: Readonly<Record<string, string>> = {
  good: "good",
  bad: "BAD",
  unknown: "not known",
  skipped: "-",
};
const MOST_RULES = 10;

export function pageOf(utd: Utd): string {
  const { event, room, session, index, sender, target, native, product, root, parcel } = utd;
  const failed = utd.steps.find(({ step }) => step === utd.failedStep);
  const lastGood = utd.steps.find(({ step }) => step === utd.lastGoodStep);
  const lines = [
    `# ${escaped(target.user)} ${escaped(target.device)} can not read ${escaped(event)}`,
    "",
    `**${root}**: ${ROOTS[root]}.`,
    "",
    failed === undefined
      ? "No step is known to have gone wrong."
      : `Step ${failed.step}, ${failed.name}: ${escaped(failed.says)}${evidence(failed.exchanges)}.`,
    lastGood === undefined
      ? "No step before it is known to be good."
      : `Last good step: ${lastGood.step}, ${lastGood.name}: ${escaped(lastGood.says)}${evidence(lastGood.exchanges)}.`,
    ...(utd.isSure ? [] : ["", "Not all steps before that could be judged from these records."]),
    "",
    "| | |",
    "| - | - |",
    row("room", room),
    row("sent by", `${sender.user} ${sender.device ?? "(device not known)"}, ${clock(utd.sentAt)}`),
    row("session", `${session}, message ${index ?? "?"}`),
    row("the library says", native.code ?? "nothing"),
    row("withheld", native.withheld ?? "no"),
    row("clients report", product),
    row("lasting", lasting(utd)),
    row("parcel", parcel ?? "none"),
    ...(utd.place === undefined ? [] : [row("seen in", utd.place)]),
    ...(utd.seed === undefined ? [] : [row("seed", utd.seed)]),
    ...(utd.again === undefined ? [] : [row("told again by", utd.again)]),
    "",
    "## Steps",
    "",
    ...utd.steps.map(
      ({ step, name, verdict, says, exchanges }) =>
        `${step}. ${name}: ${WORDS[verdict]}. ${escaped(says)}${evidence(exchanges)}`,
    ),
    ...hops(utd),
    ...rules(utd),
    "",
    "## Timeline (UTC)",
    "",
    ...utd.timeline.map(
      ({ at, says, exchange }) =>
        `- ${clock(at)} ${escaped(says)}${exchange === undefined ? "" : evidence([exchange])}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

/** The verdict on one line, for messages. */
export function lineOf({ event, target, root, steps, failedStep }: Utd): string {
  const says = steps.find(({ step }) => step === failedStep)?.says ?? ROOTS[root];
  return oneLine(`${target.user} ${target.device} can not read ${event}: ${root}, ${says}`);
}

function lasting({ isPermanent, healedAt }: Utd): string {
  if (isPermanent === undefined) return "not seen";
  return isPermanent ? "permanent" : `transient: read at ${clock(healedAt ?? Number.NaN)}`;
}

function hops({ hops: all }: Utd): readonly string[] {
  if (all.length === 0) return [];
  return [
    "",
    "## Way of the parcel",
    "",
    ...all.map(
      ({ at, from, to, outcome, exchange }) =>
        `- ${clock(at)} ${escaped(from)} to ${escaped(to)}: ${outcome}${evidence([exchange])}`,
    ),
  ];
}

function rules({ rules: all }: Utd): readonly string[] {
  if (all.length === 0) return [];
  const first = [...all].sort((a, b) => Number(b.isOnPath) - Number(a.isOnPath));
  const more = all.length - MOST_RULES;
  return [
    "",
    "## Rules of the gateway that acted",
    "",
    ...first
      .slice(0, MOST_RULES)
      .map(
        ({ rule, exchange, at, isOnPath }) =>
          `- ${clock(at)} ${escaped(rule)}${evidence([exchange])}${isOnPath ? ", on the path" : ""}`,
      ),
    ...(more > 0 ? [`- and ${more} more`] : []),
  ];
}

function evidence(exchanges: readonly string[]): string {
  return exchanges.length === 0 ? "" : ` (${exchanges.map(escaped).join(", ")})`;
}

function row(name: string, value: string): string {
  return `| ${name} | ${escaped(value)} |`;
}

/** Without control characters and marks that turn the direction of writing, and not too long. */
function oneLine(text: string): string {
  const clean = text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    "\ufffd",
  );
  return clean.length <= MOST_CHARACTERS ? clean : `${clean.slice(0, MOST_CHARACTERS)}…`;
}

/** What Matrix and the trace call things: users, rooms, events, exchanges. */
const ID = /[@!$][\w.\-=/+:]*[\w=]|[\w.\-:]*#\d+/g;

/** As text in Markdown, ids as code: no markup, no HTML, no mention, no link. */
function escaped(text: string): string {
  const line = oneLine(text);
  let written = "";
  let end = 0;
  for (const { 0: id, index } of line.matchAll(ID)) {
    written += `${plain(line.slice(end, index))}\`${id}\``;
    end = index + id.length;
  }
  return written + plain(line.slice(end));
}

function plain(text: string): string {
  return text
    .replace(/[\\`*[\]<>|~#]|(?<!\w)_|_(?!\w)/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("://", ":\\//")
    .replaceAll("www.", "www\\.");
}
