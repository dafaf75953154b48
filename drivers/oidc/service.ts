/** The service: its parts put together. */
import type { Server } from "node:http";
import { createServer } from "node:http";
import { errors } from "oidc-provider";
import { compatEndpoints } from "./compat/endpoints.ts";
import { ssoPages } from "./compat/sso.ts";
import { adminSide } from "./control/admin.ts";
import { Faults } from "./control/faults.ts";
import { controlListener } from "./control/listener.ts";
import { Homeserver, HomeserverTrouble } from "./homeserver.ts";
import { BadRequest, type Context, type Next } from "./http.ts";
import { oauthEndpoints } from "./oauth/endpoints.ts";
import { makeProvider } from "./oauth/provider.ts";
import { Tokens } from "./oauth/tokens.ts";
import { accountPages } from "./pages/account.ts";
import { Credentials } from "./pages/credentials.ts";
import { Csrf } from "./pages/csrf.ts";
import { devicePages } from "./pages/device.ts";
import { answerErrorPage } from "./pages/error-page.ts";
import { FormCookie } from "./pages/form-cookie.ts";
import { interactions } from "./pages/interactions.ts";
import { signedInBy } from "./pages/signed-in.ts";
import type { ServiceSettings } from "./settings.ts";
import { SignIns } from "./sign-ins.ts";
import { Standing } from "./standing.ts";
import { Accounts } from "./store/accounts.ts";
import { openDatabase } from "./store/database.ts";
import { LoginTokens } from "./store/login-tokens.ts";
import { keptSecret } from "./store/secrets.ts";
import { Sessions } from "./store/sessions.ts";

/** Between two tries to tell the homeserver what it has not heard. */
const CATCH_UP_MS = 1_000;

export interface Service {
  readonly web: Server;
  readonly control: Server;
}

export function makeService(settings: ServiceSettings): Service {
  const { publicBase, serverName, secret } = settings;
  const database = openDatabase(settings.databaseFile);
  const accounts = new Accounts(database);
  const sessions = new Sessions(database);
  const homeserver = new Homeserver(settings.homeserver, secret, serverName);
  const faults = new Faults();
  const provider = makeProvider({ publicBase, database, accounts, faults });
  const signIns = new SignIns(sessions, homeserver, async (grantId) => {
    const models = [provider.Grant, provider.AccessToken, provider.AuthorizationCode];
    await Promise.all(models.map((model) => model.adapter.revokeByGrantId(grantId)));
    await provider.Grant.adapter.destroy(grantId);
  });
  const tokens = new Tokens(sessions, accounts);
  const loginTokens = new LoginTokens(database);
  const csrf = new Csrf(keptSecret(database, "csrf"));
  const formCookie = new FormCookie(csrf);
  const credentials = new Credentials(accounts, homeserver, serverName);
  const signedIn = signedInBy({ provider, accounts, credentials, formCookie, serverName });
  const standing = new Standing({ accounts, sessions, signIns, homeserver });
  const admin = adminSide({
    accounts,
    sessions,
    signIns,
    standing,
    homeserver,
    serverName,
    faults,
  });

  provider.use(asIssuer(publicBase));
  provider.use(withErrorPages);
  provider.use(endingRevokedGrants(provider, sessions, signIns));
  provider.use(oauthEndpoints({ provider, sessions, tokens, signIns, secret }));
  provider.use(
    compatEndpoints({ accounts, sessions, signIns, loginTokens, tokens, serverName, publicBase }),
  );
  provider.use(interactions({ provider, accounts, credentials, csrf, serverName }));
  provider.use(ssoPages({ signedIn, formCookie, loginTokens }));
  provider.use(devicePages({ provider, signedIn, formCookie }));
  provider.use(
    accountPages({ provider, accounts, sessions, signedIn, formCookie, admin, serverName }),
  );
  catchingUp(async () => {
    await standing.catchUp();
    await signIns.catchUp();
  });
  return {
    web: createServer(provider.callback()),
    control: controlListener(admin, settings.control.secret),
  };
}

/** The service is asked through the gateway, by several names: what it says of itself is the issuer's. */
function asIssuer(publicBase: string) {
  const { host } = new URL(publicBase);
  return async (context: Context, next: Next) => {
    context.req.headers.host = host;
    await next();
  };
}

/** Our pages answer with a page whatever happens; an error that nobody expected is logged. */
async function withErrorPages(context: Context, next: Next): Promise<void> {
  try {
    await next();
  } catch (error) {
    if (error instanceof errors.OIDCProviderError) {
      answerErrorPage(context, error.statusCode, error.error_description ?? error.message);
    } else if (error instanceof BadRequest) {
      answerErrorPage(context, 400, error.message);
    } else {
      console.error(error);
      answerErrorPage(context, 500, "The service has failed; see its log.");
    }
  }
}

/** oidc-provider revokes grants by itself, as when a code comes twice: their sessions have to end before the answer. */
function endingRevokedGrants(
  provider: ReturnType<typeof makeProvider>,
  sessions: Sessions,
  signIns: SignIns,
) {
  const endings = new WeakMap<object, Promise<void>[]>();
  provider.on("grant.revoked", (context, grantId) => {
    const session = sessions.find(grantId);
    // The homeserver will be told later when it gives no answer now: the session has ended either way.
    const end = session === undefined ? undefined : signIns.end(session).catch(onlyTrouble);
    if (end !== undefined) endings.get(context)?.push(end);
  });
  return async (context: Context, next: Next) => {
    const ending: Promise<void>[] = [];
    endings.set(context, ending);
    await next();
    await Promise.all(ending);
  };
}

function onlyTrouble(error: unknown): void {
  if (!(error instanceof HomeserverTrouble)) throw error;
}

/** Keeps telling the homeserver of accounts and devices what it has missed, until it has heard. */
function catchingUp(tell: () => Promise<void>): void {
  const again = () => {
    tell().then(() => setTimeout(again, CATCH_UP_MS).unref());
  };
  again();
}
