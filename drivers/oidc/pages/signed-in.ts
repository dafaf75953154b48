/** Who is logged in in a browser; a page that needs somebody is a login page until somebody is. */
import type { Provider } from "oidc-provider";
import { type Context, readForm } from "../http.ts";
import type { Account, Accounts } from "../store/accounts.ts";
import type { Credentials } from "./credentials.ts";
import type { FormCookie } from "./form-cookie.ts";
import { loginForm, registerForm } from "./forms.ts";
import { answerPage } from "./html.ts";

/** The account; undefined when the context has been answered with a login page or a way on. */
export type SignedIn = (context: Context, wantsAccount?: boolean) => Promise<Account | undefined>;

export interface SignedInParts {
  readonly provider: Provider;
  readonly accounts: Accounts;
  readonly credentials: Credentials;
  readonly formCookie: FormCookie;
  readonly serverName: string;
}

const SESSION_TTL_S = 14 * 24 * 3600;

export function signedInBy(parts: SignedInParts): SignedIn {
  const { provider, accounts, credentials, formCookie, serverName } = parts;
  return async (context, wantsAccount = false) => {
    const session = await provider.Session.get(context);
    const account = session.accountId === undefined ? undefined : accounts.find(session.accountId);
    if (account !== undefined && !account.isDeactivated && !account.isLocked) return account;
    const registers = wantsAccount || context.query.register !== undefined;
    let problem: string | undefined;
    if (context.method === "POST") {
      const form = await readForm(context);
      const given = !formCookie.isRight(context, form)
        ? "This form was not sent by its page. Try again."
        : registers
          ? await credentials.register(form)
          : credentials.check(form);
      if (typeof given !== "string") {
        // The name of a browser session that somebody else may know is not taken over.
        if (session.accountId !== undefined) await session.destroy();
        const fresh = new provider.Session();
        fresh.loginAccount({ accountId: given.localpart });
        await fresh.save(SESSION_TTL_S);
        context.cookies.set(provider.cookieName("session"), fresh.jti, {
          httpOnly: true,
          sameSite: "lax",
          overwrite: true,
          maxAge: SESSION_TTL_S * 1000,
        });
        context.status = 303;
        context.redirect(context.url);
        return undefined;
      }
      problem = given;
    }
    const field = formCookie.field(context);
    answerPage(context, {
      name: registers ? "register" : "login",
      title: registers ? `Create an account on ${serverName}` : `Log in to ${serverName}`,
      status: problem === undefined ? 200 : 403,
      body: registers ? registerForm({ field, problem }) : loginForm({ field, problem }),
    });
    return undefined;
  };
}
