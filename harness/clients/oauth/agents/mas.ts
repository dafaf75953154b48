/**
 * The pages of matrix-authentication-service, as they were read in 1.22.0: a form with `csrf` and `username`, `password`; at
 * `/consent/{id}` one with `action=consent`, whose refusal is a link back to the client; at `/link` one with `code`; at
 * `/device/{id}` one with `action=consent|reject` and `confirm_device`.
 */
import type { Page } from "../browser.ts";
import type { PageReader, Question } from "../user-agent.ts";
import { answerFields } from "./fields.ts";

function question(page: Page): Question | undefined {
  const has = (name: string) => page.forms.some(({ fields }) => name in fields);
  const offers = (value: string) =>
    page.forms.some(
      ({ fields, buttons }) =>
        fields.action === value || buttons.some((each) => each.value === value),
    );
  if (has("password_confirm")) return "register";
  if (has("password")) return "login";
  if (has("code")) return "user-code";
  if (page.forms.some(({ boxes }) => boxes.includes("confirm_device"))) return "device-consent";
  return offers("consent") ? "consent" : undefined;
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
