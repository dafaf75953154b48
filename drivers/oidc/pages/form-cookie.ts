/** Against forged requests to pages that belong to no interaction: a cookie of the browser, and a value made of it in the form. */
import { randomBytes } from "node:crypto";
import type { Context } from "../http.ts";
import type { Csrf } from "./csrf.ts";
import type { Markup } from "./html.ts";

const NAME = "form";

export class FormCookie {
  readonly #csrf: Csrf;

  constructor(csrf: Csrf) {
    this.#csrf = csrf;
  }

  /** The hidden field; the cookie is set where it is not there yet. */
  field(context: Context): Markup {
    let value = context.cookies.get(NAME);
    if (value === undefined) {
      value = randomBytes(18).toString("base64url");
      context.cookies.set(NAME, value, { httpOnly: true, sameSite: "lax", overwrite: true });
    }
    return this.#csrf.field(`form:${value}`);
  }

  isRight(context: Context, form: ReadonlyMap<string, string>): boolean {
    const value = context.cookies.get(NAME);
    return value !== undefined && this.#csrf.isRight(`form:${value}`, form);
  }
}
