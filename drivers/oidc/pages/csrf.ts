/** Values that a form of ours carries and a page of elsewhere can not know. */
import { createHmac } from "node:crypto";
import { isSame } from "../http.ts";
import { html, type Markup } from "./html.ts";

export class Csrf {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param of what only this browser and we know: an interaction, a browser session */
  field(of: string): Markup {
    return html`<input type="hidden" name="csrf" value="${this.#value(of)}">`;
  }

  isRight(of: string, form: ReadonlyMap<string, string>): boolean {
    return isSame(form.get("csrf") ?? "", this.#value(of));
  }

  #value(of: string): string {
    return createHmac("sha256", this.#secret).update(of).digest("base64url");
  }
}
