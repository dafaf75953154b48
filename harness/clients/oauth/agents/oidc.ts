/** The pages of our embedded service, which say on `body` what they ask. */
import type { Page } from "../browser.ts";
import type { PageReader, Question } from "../user-agent.ts";
import { answerFields } from "./fields.ts";

const QUESTIONS: Readonly<Record<string, Question>> = {
  login: "login",
  register: "register",
  consent: "consent",
  "device-code": "user-code",
  "device-consent": "device-consent",
  "account-confirm": "account-confirm",
};

export const oidc: PageReader = {
  kind: "oidc",
  question: (page: Page) =>
    QUESTIONS[page.html.querySelector("body")?.getAttribute("data-page") ?? ""],
  answer: answerFields,
  reject: () => ({ action: "reject" }),
};
