/** Where users sign another device in: its code, then their consent (RFC 8628 §3.3, MSC4341). */
import type { Provider } from "oidc-provider";
import { type Context, type Next, readForm } from "../http.ts";
import { DEVICE } from "../oauth/provider.ts";
import { readScope } from "../oauth/scope.ts";
import type { Account } from "../store/accounts.ts";
import { now } from "../store/clock.ts";
import type { FormCookie } from "./form-cookie.ts";
import { about } from "./forms.ts";
import { alert, answerPage, html } from "./html.ts";
import { grantFor } from "./interactions.ts";
import type { SignedIn } from "./signed-in.ts";
import { WrongCodes } from "./wrong-codes.ts";

export interface DeviceParts {
  readonly provider: Provider;
  readonly signedIn: SignedIn;
  readonly formCookie: FormCookie;
}

type DeviceCode = InstanceType<Provider["DeviceCode"]>;
type Form = ReadonlyMap<string, string>;

export function devicePages(parts: DeviceParts) {
  const { provider, signedIn, formCookie } = parts;
  const wrong = new WrongCodes();

  return async (context: Context, next: Next): Promise<void> => {
    if (context.path !== DEVICE) return await next();
    const account = await signedIn(context);
    if (account === undefined) return;
    if (wrong.areTooMany(account.localpart)) {
      return showCodeForm(context, formCookie, "Too many wrong codes. Try again later.", 429);
    }
    const isAnswer = context.method === "POST";
    const form: Form = isAnswer ? await readForm(context) : new Map();
    if (isAnswer && !formCookie.isRight(context, form)) {
      const problem = "This form was not sent by its page. Try again.";
      return showCodeForm(context, formCookie, problem, 403);
    }
    const { user_code: inLink } = context.query;
    const given = form.get("user_code") ?? (typeof inLink === "string" ? inLink : undefined);
    if (given === undefined) return showCodeForm(context, formCookie);
    const code = await codeBy(provider, given);
    if (code === undefined) {
      wrong.note(account.localpart);
      return showCodeForm(context, formCookie, "This code is not valid, or not any more.", 403);
    }
    const action = form.get("action");
    if (action === undefined) return await showConsent(parts, context, account, code);
    if (action !== "consent") {
      Object.assign(code, { error: "access_denied", errorDescription: "the user did not agree" });
      await code.save();
      return showDone(context, "The device was not signed in.");
    }
    if (form.get("confirm_device") === undefined) {
      const problem = "Confirm that the device is yours.";
      return await showConsent(parts, context, account, code, problem);
    }
    const problem = await approve(provider, account, code);
    if (problem !== undefined) return await showConsent(parts, context, account, code, problem);
    showDone(context, "The device is signed in. You can close this page.");
  };
}

/** One that waits for its user. */
async function codeBy(provider: Provider, given: string): Promise<DeviceCode | undefined> {
  const normal = given.toUpperCase().replace(/[^A-Z0-9]/g, "");
  const code = await provider.DeviceCode.findByUserCode(normal);
  return code === undefined || code.isExpired || code.error || code.accountId ? undefined : code;
}

async function approve(
  provider: Provider,
  account: Account,
  code: DeviceCode,
): Promise<string | undefined> {
  const asked = scopeOf(code);
  const scope = readScope(asked);
  if (typeof scope === "string" || (scope.wantsAdmin && !account.isAdmin)) {
    return "This account may not grant what the device asks for.";
  }
  Object.assign(code, {
    accountId: account.localpart,
    authTime: now(),
    claims: {},
    grantId: await grantFor(provider, account.localpart, String(code.clientId), scope),
    resource: provider.issuer,
    scope: scope.tokens.join(" "),
  });
  await code.save();
  return undefined;
}

/** As the device shows it: users are to compare the two. */
function asShown({ userCode }: DeviceCode): string {
  return String(userCode).replace(/^.{4}(?=.)/, "$&-");
}

function scopeOf(code: DeviceCode): string {
  return String((code.params as Record<string, unknown> | undefined)?.scope ?? "");
}

function showCodeForm(
  context: Context,
  formCookie: FormCookie,
  problem?: string,
  status = 200,
): void {
  answerPage(context, {
    name: "device-code",
    title: "Sign a device in",
    status,
    body: html`${alert(problem)}<form method="post" action="${DEVICE}">${formCookie.field(context)}
<label>Code that the device shows <input name="user_code" autocomplete="off" autocapitalize="characters" required></label>
<button type="submit">Continue</button></form>`,
  });
}

async function showConsent(
  { provider, formCookie }: DeviceParts,
  context: Context,
  account: Account,
  code: DeviceCode,
  problem?: string,
): Promise<void> {
  const client = await provider.Client.find(String(code.clientId));
  const scope = readScope(scopeOf(code));
  answerPage(context, {
    name: "device-consent",
    title: "Sign another device in",
    status: problem === undefined ? 200 : 403,
    body: html`${alert(problem)}${about(client?.metadata())}
<p>Another device asks for full access to the account of <strong>${account.localpart}</strong>, as device <strong>${typeof scope === "string" ? "" : scope.deviceId}</strong>. It shows the code <strong>${asShown(code)}</strong>.</p>
<form method="post" action="${DEVICE}">${formCookie.field(context)}
<input type="hidden" name="user_code" value="${asShown(code)}">
<label><input type="checkbox" name="confirm_device" value="on"> The device is mine, and it shows this code.</label>
<button type="submit" name="action" value="consent">Allow</button>
<button type="submit" name="action" value="reject">Cancel</button></form>`,
  });
}

function showDone(context: Context, text: string): void {
  answerPage(context, {
    name: "done",
    title: "Sign another device in",
    body: html`<p>${text}</p>`,
  });
}
