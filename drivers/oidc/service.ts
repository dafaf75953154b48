/** The service: its parts put together. */
import type { Server } from "node:http";
import { createServer } from "node:http";
import { errors } from "oidc-provider";
import { adminSide } from "./control/admin.ts";
import { controlListener } from "./control/listener.ts";
import { Homeserver } from "./homeserver.ts";
import { BadRequest, type Context, type Next } from "./http.ts";
import { oauthEndpoints } from "./oauth/endpoints.ts";
import { makeProvider } from "./oauth/provider.ts";
import { Tokens } from "./oauth/tokens.ts";
import { Csrf } from "./pages/csrf.ts";
import { answerErrorPage, interactions } from "./pages/interactions.ts";
import type { ServiceSettings } from "./settings.ts";
import { SignIns } from "./sign-ins.ts";
import { Accounts } from "./store/accounts.ts";
import { openDatabase } from "./store/database.ts";
import { keptSecret } from "./store/secrets.ts";
import { Sessions } from "./store/sessions.ts";

export interface Service {
  readonly web: Server;
  readonly control: Server;
}

export function makeService(settings: ServiceSettings): Service {
  const { publicBase, serverName, secret } = settings;
  const database = openDatabase(settings.databaseFile);
  const accounts = new Accounts(database);
  const sessions = new Sessions(database);
  const homeserver = new Homeserver(settings.homeserver, secret);
  const provider = makeProvider({ publicBase, database, accounts });
  const signIns = new SignIns(sessions, homeserver, async (grantId) => {
    const models = [provider.Grant, provider.AccessToken, provider.AuthorizationCode];
    await Promise.all(models.map((model) => model.adapter.revokeByGrantId(grantId)));
    await provider.Grant.adapter.destroy(grantId);
  });
  const tokens = new Tokens(sessions, accounts);
  const csrf = new Csrf(keptSecret(database, "csrf"));

  provider.use(asIssuer(publicBase));
  provider.use(withErrorPages);
  provider.use(endingRevokedGrants(provider, sessions, signIns));
  provider.use(oauthEndpoints({ provider, sessions, tokens, signIns, secret }));
  provider.use(interactions({ provider, accounts, csrf, serverName }));
  const admin = adminSide({ accounts, sessions, signIns, homeserver, serverName });
  return {
    web: createServer(provider.callback()),
    control: controlListener(admin, settings.controlSecret),
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
    if (session !== undefined) endings.get(context)?.push(signIns.end(session));
  });
  return async (context: Context, next: Next) => {
    const ending: Promise<void>[] = [];
    endings.set(context, ending);
    await next();
    await Promise.all(ending);
  };
}
