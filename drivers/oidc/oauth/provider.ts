/** oidc-provider as the core of the service: authorization requests, codes, PKCE, clients and browser sessions. */
import { generateKeyPairSync } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { type Configuration, errors, interactionPolicy, Provider } from "oidc-provider";
import type { Faults } from "../control/faults.ts";
import { ACCOUNT, ACTIONS_SUPPORTED } from "../pages/account-actions.ts";
import { answerErrorPage } from "../pages/error-page.ts";
import type { Accounts } from "../store/accounts.ts";
import { ModelStore } from "../store/models.ts";
import { keptSecret } from "../store/secrets.ts";
import { readScope } from "./scope.ts";
import { ACCESS_TOKEN_TTL_S } from "./tokens.ts";

/** Where users enter the code of another device; the page is ours. */
export const DEVICE = "/device";
export const ROUTES = {
  authorization: "/authorize",
  token: "/oauth2/token",
  registration: "/oauth2/registration",
  revocation: "/oauth2/revoke",
  device_authorization: "/oauth2/device",
  jwks: "/oauth2/keys.json",
  code_verification: DEVICE,
};
export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
export const INTROSPECTION = "/oauth2/introspect";
export const INTERACTION = "/interaction";

const DAY_S = 24 * 3600;
/** The most that RFC 6749 §4.1.2 recommends. */
const CODE_TTL_S = 600;
const DEVICE_CODE_TTL_S = 1200;

export interface ProviderPlan {
  readonly publicBase: string;
  readonly database: DatabaseSync;
  readonly accounts: Accounts;
  readonly faults: Faults;
}

export function makeProvider(plan: ProviderPlan): Provider {
  const { publicBase, database, accounts, faults } = plan;
  // What the granted scope is for. Any URI that stays the same will do.
  const resource = publicBase;
  const configuration: Configuration = {
    adapter: (model: string) => new ModelStore(database, model),
    jwks: { keys: [JSON.parse(keptSecret(database, "signing-key", signingKey))] },
    // Scopes of Matrix are dynamic, which this library only has for resources: here they would be dropped.
    scopes: ["openid"],
    responseTypes: ["code"],
    clientAuthMethods: ["none"],
    clientDefaults: {
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    },
    extraClientMetadata: { properties: ["localised"] },
    routes: ROUTES,
    discovery: {
      account_management_uri: new URL(ACCOUNT, publicBase).href,
      account_management_actions_supported: ACTIONS_SUPPORTED,
      prompt_values_supported: ["none", "login", "consent", "create"],
    },
    pkce: { required: () => true },
    cookies: { keys: [keptSecret(database, "cookies")] },
    ttl: {
      AccessToken: ACCESS_TOKEN_TTL_S,
      AuthorizationCode: () => faults.number("code-lifetime") ?? CODE_TTL_S,
      DeviceCode: () => faults.number("device-code-lifetime") ?? DEVICE_CODE_TTL_S,
      Grant: 10 * 365 * DAY_S,
      IdToken: 3600,
      Interaction: 3600,
      Session: 14 * DAY_S,
    },
    // Ours live in the table of sessions.
    issueRefreshToken: async () => false,
    // Each sign-in has a grant of its own, since each is a session of its own.
    loadExistingGrant: async ({ oidc }) => {
      const grantId = oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : await oidc.provider.Grant.find(grantId);
    },
    revokeGrantPolicy: () => true,
    expiresWithSession: async () => false,
    clientBasedCORS: () => true,
    findAccount: async (_context, localpart) => {
      const account = accounts.find(localpart);
      if (account === undefined || account.isDeactivated) return undefined;
      return { accountId: localpart, claims: async () => ({ sub: localpart }) };
    },
    renderError: async (context, { error_description: described }, error) => {
      answerErrorPage(context, context.status, described ?? error.message);
    },
    interactions: {
      policy: promptPolicy(accounts),
      url: (_context, { uid }) => `${INTERACTION}/${uid}`,
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      deviceFlow: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: ({ oidc }, asked) => {
          // Consent is only ever given for ours: another would be asked for again and again.
          if (asked !== resource) throw new errors.InvalidTarget();
          const { AuthorizationCode, DeviceCode } = oidc.entities;
          const wanted = (AuthorizationCode ?? DeviceCode)?.scope ?? oidc.params?.scope;
          const scope = readScope(typeof wanted === "string" ? wanted : undefined);
          if (typeof scope === "string") throw new errors.InvalidScope(scope, String(wanted));
          return {
            audience: resource,
            accessTokenFormat: "opaque",
            accessTokenTTL: ACCESS_TOKEN_TTL_S,
            scope: scope.tokens.filter((token) => token !== "openid").join(" "),
          };
        },
      },
    },
  };
  return new Provider(publicBase, configuration);
}

/** Log in, consent; and before both an account, for a client that asks for one while nobody is logged in. */
function promptPolicy(accounts: Accounts) {
  const { base, Check, Prompt } = interactionPolicy;
  const create = new Prompt(
    { name: "create", requestable: true },
    new Check(
      "no_account",
      "the user has to make an account",
      ({ oidc }) =>
        oidc.prompts.has("create") &&
        oidc.session?.accountId === undefined &&
        oidc.result?.login === undefined,
    ),
  );
  // The library's own would ask those who are logged in, too.
  create.checks.remove("create_prompt");
  const policy = base();
  policy.add(create, 0);
  // A browser remembers who was logged in longer than accounts can be used; without an account the library would break.
  policy.get("login")?.checks.add(
    new Check("no_use", "the account can not be used", ({ oidc }) => {
      const localpart = oidc.session?.accountId;
      if (localpart === undefined) return false;
      const account = accounts.find(localpart);
      return account === undefined || account.isDeactivated || account.isLocked;
    }),
  );
  return policy;
}

function signingKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return JSON.stringify({ ...privateKey.export({ format: "jwk" }), use: "sig", kid: "1" });
}
