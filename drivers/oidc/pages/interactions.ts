/** The pages of a sign-in that a client has asked for: log in, then consent. */
import type { Provider } from "oidc-provider";
import type { Context, Next } from "../http.ts";
import { readForm } from "../http.ts";
import { INTERACTION } from "../oauth/provider.ts";
import { readScope } from "../oauth/scope.ts";
import type { Accounts } from "../store/accounts.ts";
import type { Csrf } from "./csrf.ts";
import { consentForm, loginForm } from "./forms.ts";
import { answerPage, html } from "./html.ts";

export interface InteractionParts {
  readonly provider: Provider;
  readonly accounts: Accounts;
  readonly csrf: Csrf;
  readonly serverName: string;
}

type Details = Awaited<ReturnType<Provider["interactionDetails"]>>;

export function interactions(parts: InteractionParts) {
  const { provider, csrf } = parts;
  return async (context: Context, next: Next): Promise<void> => {
    if (!context.path.startsWith(`${INTERACTION}/`)) return await next();
    const details = await provider.interactionDetails(context.req, context.res);
    const of = `interaction:${details.uid}`;
    if (context.method !== "POST") return await show(parts, context, details);
    const form = await readForm(context);
    if (!csrf.isRight(of, form)) {
      return await show(parts, context, details, "This form was not sent by its page. Try again.");
    }
    if (details.prompt.name === "consent") return await consent(parts, context, details, form);
    return await logIn(parts, context, details, form);
  };
}

async function show(
  { provider, csrf, serverName }: InteractionParts,
  context: Context,
  details: Details,
  problem?: string,
): Promise<void> {
  const client = await provider.Client.find(String(details.params.client_id));
  const field = csrf.field(`interaction:${details.uid}`);
  const status = problem === undefined ? 200 : 403;
  if (details.prompt.name === "consent") {
    const scope = readScope(String(details.params.scope));
    answerPage(context, {
      name: "consent",
      title: `Sign in to ${serverName}`,
      status,
      body: consentForm({
        field,
        problem,
        client: client?.metadata(),
        localpart: details.session?.accountId ?? "",
        deviceId: typeof scope === "string" ? "" : scope.deviceId,
      }),
    });
    return;
  }
  answerPage(context, {
    name: "login",
    title: `Log in to ${serverName}`,
    status,
    body: loginForm({ field, problem, username: String(details.params.login_hint ?? "") }),
  });
}

async function logIn(
  parts: InteractionParts,
  context: Context,
  details: Details,
  form: ReadonlyMap<string, string>,
): Promise<void> {
  const account = parts.accounts.withPassword(
    localpartOf(form.get("username") ?? "", parts.serverName),
    form.get("password") ?? "",
  );
  if (account === undefined || account.isDeactivated) {
    return await show(parts, context, details, "Wrong name or password.");
  }
  if (account.isLocked) return await show(parts, context, details, "This account is locked.");
  await finish(parts, context, { login: { accountId: account.localpart } });
}

async function consent(
  parts: InteractionParts,
  context: Context,
  details: Details,
  form: ReadonlyMap<string, string>,
): Promise<void> {
  const { provider, accounts } = parts;
  const { params, session } = details;
  if (form.get("action") !== "consent") {
    return await finish(parts, context, {
      error: "access_denied",
      error_description: "the user did not agree",
    });
  }
  const account = accounts.find(session?.accountId ?? "");
  const scope = readScope(String(params.scope));
  if (account === undefined || account.isDeactivated || account.isLocked) {
    return await finish(parts, context, {
      error: "access_denied",
      error_description: "the account can not be used",
    });
  }
  if (typeof scope === "string" || (scope.wantsAdmin && !account.isAdmin)) {
    return await finish(parts, context, {
      error: "invalid_scope",
      error_description: "the account may not grant this scope",
    });
  }
  const grant = new provider.Grant({
    accountId: account.localpart,
    clientId: String(params.client_id),
  });
  const ours = scope.tokens.filter((token) => token !== "openid");
  grant.addResourceScope(provider.issuer, ours.join(" "));
  if (scope.tokens.length > ours.length) grant.addOIDCScope("openid");
  await finish(parts, context, { consent: { grantId: await grant.save() } });
}

async function finish(
  { provider }: InteractionParts,
  context: Context,
  result: Record<string, unknown>,
): Promise<void> {
  context.status = 303;
  context.redirect(await provider.interactionResult(context.req, context.res, result));
}

/** People write a localpart or a whole user id. */
function localpartOf(username: string, serverName: string): string {
  const suffix = `:${serverName}`;
  const whole = username.trim();
  return whole.startsWith("@") && whole.endsWith(suffix) ? whole.slice(1, -suffix.length) : whole;
}

/** Whatever a page was asked for that can not be: never a bare error of the library. */
export function answerErrorPage(context: Context, status: number, problem: string): void {
  answerPage(context, {
    name: "error",
    title: "This did not work",
    status,
    body: html`<p role="alert">${problem}</p>`,
  });
}
