/**
 * The pages of matrix-authentication-service, as 1.22.0 shows them: a form with `csrf` and `username`, `password`; at
 * `/consent/{id}` and `/complete-compat-sso/{id}` one with `csrf` alone, whose refusal is a link back to the client; at
 * `/link` one with `code`; at `/device/{id}` one with `action=consent|reject` and `confirm_device`; registration goes on with
 * one for the display name.
 */
import type { Page } from "../browser.ts";
import type { PageReader, Question } from "../user-agent.ts";
import { answerFields } from "./fields.ts";

/** Pages whose form names nothing that tells them apart. */
const CONSENTS = /^\/(?:consent|complete-compat-sso)\/[^/]+$/;

function question(page: Page): Question | undefined {
  const has = (name: string) => page.forms.some(({ fields }) => name in fields);
  if (page.response.status >= 400) return undefined;
  if (has("password_confirm")) return "register";
  if (has("display_name")) return "display-name";
  if (has("password")) return "login";
  if (has("code")) return "user-code";
  if (page.forms.some(({ boxes }) => boxes.includes("confirm_device"))) return "device-consent";
  return CONSENTS.test(new URL(page.url).pathname) ? "consent" : undefined;
}

export const mas: PageReader = {
  kind: "mas",
  question,
  answer: answerFields,
  reject: (page) => {
    const link = page.html
      .querySelectorAll("a")
      .map((each) => each.getAttribute("href") ?? "")
      .find((href) => href.includes("error=access_denied"));
    return link === undefined ? { action: "reject" } : { link };
  },
};
