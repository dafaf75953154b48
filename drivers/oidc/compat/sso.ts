/** Logging in by a browser for clients of the legacy API (specification, Client login via SSO). */
import { type Context, type Next, readForm } from "../http.ts";
import { answerErrorPage } from "../pages/error-page.ts";
import type { FormCookie } from "../pages/form-cookie.ts";
import { alert, answerPage, html } from "../pages/html.ts";
import type { SignedIn } from "../pages/signed-in.ts";
import type { LoginTokens } from "../store/login-tokens.ts";

export const SSO_PATH = "/sso";

export interface SsoParts {
  readonly signedIn: SignedIn;
  readonly formCookie: FormCookie;
  readonly loginTokens: LoginTokens;
}

/** Schemes that a browser runs or reads instead of going somewhere. */
const NOWHERE = ["javascript:", "data:", "vbscript:", "file:", "blob:", "about:", "filesystem:"];

type Query = Context["query"];

/** Why nobody can be sent back there; undefined: nothing. */
export function ssoProblem(query: Query): string | undefined {
  const { redirectUrl } = query;
  if (typeof redirectUrl !== "string") return "redirectUrl has to be there once";
  const url = URL.parse(redirectUrl);
  if (url === null) return "redirectUrl is not a URL";
  return NOWHERE.includes(url.protocol) ? "redirectUrl has a scheme that is refused" : undefined;
}

export function ssoPages({ signedIn, formCookie, loginTokens }: SsoParts) {
  return async (context: Context, next: Next): Promise<void> => {
    if (context.path !== SSO_PATH) return await next();
    const problem = ssoProblem(context.query);
    if (problem !== undefined) {
      answerErrorPage(context, 400, problem);
      return;
    }
    const account = await signedIn(context, context.query.action === "register");
    if (account === undefined) return;
    const target = new URL(String(context.query.redirectUrl));
    const isAnswer = context.method === "POST";
    const form = isAnswer ? await readForm(context) : new Map<string, string>();
    if (isAnswer && formCookie.isRight(context, form) && form.get("action") === "consent") {
      target.searchParams.set("loginToken", loginTokens.make(account.localpart));
      context.status = 303;
      context.set({ Location: target.href, "Cache-Control": "no-store" });
      context.body = "";
      return;
    }
    answerPage(context, {
      name: "consent",
      title: "Continue to your client",
      status: isAnswer ? 403 : 200,
      body: html`${alert(isAnswer ? "Nothing was sent." : undefined)}
<p>You are logged in as <strong>${account.localpart}</strong>. A client at this address asks for full access to your account:</p>
<p><code>${target.href}</code></p>
<form method="post">${formCookie.field(context)}<button type="submit" name="action" value="consent">Continue</button></form>`,
    });
  };
}
