import type { Context } from "../http.ts";
import { answerPage, html } from "./html.ts";

/** Whatever a page was asked for that can not be: never a bare error of the library. */
export function answerErrorPage(context: Context, status: number, problem: string): void {
  answerPage(context, {
    name: "error",
    title: "This did not work",
    status,
    body: html`<p role="alert">${problem}</p>`,
  });
}
