/** A page that lists recordings with how they ended, the failed ones first. */
import { shown } from "#tardis/explain/shown";

export interface Listed {
  readonly href: string;
  readonly title: string;
  readonly verdict: { readonly isOk: boolean; readonly text: string } | undefined;
}

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'";

/** @param more HTML below the list */
export function listPage(entries: readonly Listed[], more = ""): string {
  const rank = ({ verdict }: Listed) => (verdict?.isOk === false ? 0 : 1);
  const items = entries
    .toSorted((a, b) => rank(a) - rank(b))
    .map(({ href, title, verdict }) => {
      const mark = verdict === undefined ? "" : verdict.isOk ? " ✓ " : " ✕ ";
      const told = verdict === undefined ? "" : `${mark}${escaped(shown(verdict.text))}`;
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

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
