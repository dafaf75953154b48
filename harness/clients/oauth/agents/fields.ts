/** Fields that pages of authorization servers share. */
import type { Form } from "../browser.ts";
import type { Answers, Question } from "../user-agent.ts";

/** The consenting answer; boxes that have to be ticked (`confirm_device`, terms of service) are. */
export function answerFields(
  question: Question,
  form: Form,
  { username, password, userCode = "" }: Answers,
): Record<string, string> {
  const ticked = Object.fromEntries(form.boxes.map((name) => [name, "on"]));
  switch (question) {
    case "login":
      return { username, password };
    case "register":
      return { ...ticked, username, password, password_confirm: password };
    case "display-name":
      return { action: "set", display_name: username };
    case "user-code":
      return "user_code" in form.fields ? { user_code: userCode } : { code: userCode };
    case "consent":
    case "device-consent":
      return { ...ticked, action: "consent" };
    case "account-confirm":
      return { password, action: "confirm" };
  }
}
