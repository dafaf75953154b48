/** A page that lists recordings with how they ended, the failed ones first, and then those that did not pass. */
import { shown } from "#tardis/explain/shown";
import type { Ending } from "./folders.ts";

export interface Listed {
  readonly href: string;
  readonly title: string;
  readonly verdict: Ending | undefined;
}

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'";

/** By rank. */
const MARKS = ["✕", "?", "✓"];

/** @param more HTML below the list */
export function listPage(entries: readonly Listed[], more = ""): string {
  const items = entries
    .toSorted((a, b) => rank(a.verdict) - rank(b.verdict))
    .map(({ href, title, verdict }) => {
      const told =
        verdict === undefined ? "" : ` ${MARKS[rank(verdict)]} ${escaped(shown(verdict.text))}`;
      return `<li><a href="${escaped(href)}">${escaped(shown(title))}</a>${told}</li>`;
    });
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<link rel="icon" href="data:,"><title>room replays</title>',
    "<style>:root{color-scheme:light dark}body{font:14px/1.7 system-ui,sans-serif;margin:2rem}</style>",
    `<main><h1>room replays</h1><ul>${items.join("")}</ul>`,
    `${more}</main></html>`,
  ].join("\n");
}

function rank(verdict: Ending | undefined): number {
  if (verdict?.isOk === false) return 0;
  return verdict?.isOk === null ? 1 : 2;
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
