/** Pages as text, in which whatever is filled in is text too. */
import { createHash } from "node:crypto";
import type { Context } from "../http.ts";

/** Markup that is known to be safe. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Filling = string | number | Markup | readonly Markup[] | undefined;

/** Markup with everything that is filled in escaped, unless it is markup itself. */
export function html(literals: TemplateStringsArray, ...fillings: readonly Filling[]): Markup {
  return new Markup(
    literals.reduce((whole, literal, index) => `${whole}${textOf(fillings[index - 1])}${literal}`),
  );
}

function textOf(filling: Filling): string {
  if (filling === undefined) return "";
  if (filling instanceof Markup) return filling.text;
  if (Array.isArray(filling)) return filling.map(textOf).join("");
  return escaped(String(filling));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** Names of pages, for those who press their buttons by program. */
export type PageName =
  | "login"
  | "register"
  | "consent"
  | "device-code"
  | "device-consent"
  | "account"
  | "account-confirm"
  | "done"
  | "error";

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:3em auto;padding:0 1em;color:#1b1d22;background:#fff}
h1{font-size:1.4em}label{display:block;margin:.8em 0}input:not([type=checkbox]){display:block;width:100%;box-sizing:border-box;padding:.5em;font:inherit}
button{font:inherit;padding:.5em 1.2em;margin-right:.6em}li,p{overflow-wrap:anywhere}[role=alert]{color:#a11}`;
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

export interface Page {
  readonly name: PageName;
  readonly title: string;
  readonly body: Markup;
  readonly status?: number;
}

/** Answers with a page that nobody can frame or keep. */
export function answerPage(context: Context, { name, title, body, status = 200 }: Page): void {
  context.status = status;
  context.set({
    "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'`,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
  });
  context.type = "html";
  context.body = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${new Markup(STYLE)}</style></head>
<body data-page="${name}">
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`.text;
}

/** What went wrong, above a form. */
export function alert(problem: string | undefined): Markup | undefined {
  return problem === undefined ? undefined : html`<p role="alert">${problem}</p>`;
}
