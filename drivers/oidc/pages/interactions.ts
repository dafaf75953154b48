/** The pages of a sign-in that a client has asked for: log in, then consent. */
import type { Provider } from "oidc-provider";
import { type Context, type Next, readForm } from "../http.ts";
import { INTERACTION } from "../oauth/provider.ts";
import { type MatrixScope, readScope } from "../oauth/scope.ts";
import type { Accounts } from "../store/accounts.ts";
import type { Credentials } from "./credentials.ts";
import type { Csrf } from "./csrf.ts";
import { consentForm, loginForm, registerForm } from "./forms.ts";
import { answerPage } from "./html.ts";

export interface InteractionParts {
  readonly provider: Provider;
  readonly accounts: Accounts;
  readonly credentials: Credentials;
  readonly csrf: Csrf;
  readonly serverName: string;
}

type Details = Awaited<ReturnType<Provider["interactionDetails"]>>;

export function interactions(parts: InteractionParts) {
  const { provider, csrf } = parts;
  return async (context: Context, next: Next): Promise<void> => {
    if (!context.path.startsWith(`${INTERACTION}/`)) return await next();
    const details = await provider.interactionDetails(context.req, context.res);
    if (context.method !== "POST") return await show(parts, context, details);
    const form = await readForm(context);
    if (!csrf.isRight(`interaction:${details.uid}`, form)) {
      return await show(parts, context, details, "This form was not sent by its page. Try again.");
    }
    if (details.prompt.name === "consent") return await consent(parts, context, details, form);
    const given = registers(context, details)
      ? await parts.credentials.register(form)
      : parts.credentials.check(form);
    if (typeof given === "string") return await show(parts, context, details, given);
    const login = { accountId: given.localpart };
    await finish(parts, context, { login, [details.prompt.name]: login });
  };
}

/** Whether the page is for people who have no account yet: the client asked for it, or they did. */
function registers(context: Context, { prompt }: Details): boolean {
  return prompt.name === "create" || context.query.register !== undefined;
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
  const username = String(details.params.login_hint ?? "");
  answerPage(
    context,
    registers(context, details)
      ? {
          name: "register",
          title: `Create an account on ${serverName}`,
          status,
          body: registerForm({ field, problem, username }),
        }
      : {
          name: "login",
          title: `Log in to ${serverName}`,
          status,
          body: loginForm({ field, problem, username }),
        },
  );
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
  const grantId = await grantFor(provider, account.localpart, String(params.client_id), scope);
  await finish(parts, context, { consent: { grantId } });
}

/** What a user has agreed to, as oidc-provider keeps it; its id becomes that of the session. */
export async function grantFor(
  provider: Provider,
  accountId: string,
  clientId: string,
  { tokens }: MatrixScope,
): Promise<string> {
  const grant = new provider.Grant({ accountId, clientId });
  const ours = tokens.filter((token) => token !== "openid");
  grant.addResourceScope(provider.issuer, ours.join(" "));
  if (tokens.length > ours.length) grant.addOIDCScope("openid");
  return await grant.save();
}

async function finish(
  { provider }: InteractionParts,
  context: Context,
  result: Record<string, unknown>,
): Promise<void> {
  context.status = 303;
  context.redirect(await provider.interactionResult(context.req, context.res, result));
}
