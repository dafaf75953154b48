/** An explanation as a text in Markdown, for reports and issues: what strangers wrote stays text, and calls nobody. */
import type { Explanation } from "./explanation.ts";
import { shown } from "./shown.ts";

export function explanationMarkdown(explanation: Explanation): string {
  const { key, verdict, steps, algorithm, roomVersion } = explanation;
  const lines = [`# Why ${inline(shown(key))} is as it is`, ""];
  for (const { text } of verdict) lines.push(inline(text), "");
  if (steps.length > 0) {
    lines.push(
      `How state resolution ${algorithm} comes to it, by room version ${roomVersion}; what is about the key is bold:`,
      "",
    );
  }
  for (const [at, { title, sentences }] of steps.entries()) {
    lines.push(`## ${at + 1}. ${inline(title)}`, "");
    for (const { text, isOfKey } of sentences) {
      lines.push(isOfKey ? `- **${inline(text)}**` : `- ${inline(text)}`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

/** Ids of users, rooms and events, and addresses: as code, so that nobody is called and nothing linked. */
const NAMED = /((?:[@#!$]|\w+:\/\/|www\.)[^\s,;()"]+)/;

function inline(text: string): string {
  return text
    .split(NAMED)
    .map((part, at) =>
      at % 2 === 1 ? code(part) : part.replaceAll(/[\\`*_{}[\]<>#|~&!@]/g, "\\$&"),
    )
    .join("");
}

/** Between more backquotes than it has in a row. */
function code(text: string): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return longest > 0 ? `${fence} ${text} ${fence}` : `${fence}${text}${fence}`;
}
