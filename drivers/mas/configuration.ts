/**
 * The configuration of one matrix-authentication-service: everything that a suite needs and nothing that bends what is under
 * test. Sections as its documentation has them (docs/reference/configuration.md, 1.22).
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import path from "node:path";
import type { AuthStartContext } from "#harness/deployment/auth-contract";
import type { Address } from "#harness/deployment/contract";

/** Of the client that asks its admin API; ids are ULIDs. */
export const ADMIN_CLIENT = "01J00000000000000000000ADM";

export interface ConfigurationPlan
  extends Pick<AuthStartContext, "publicBase" | "homeserver" | "secret"> {
  readonly web: Address;
  readonly health: Address;
  readonly database: string;
  readonly adminSecret: string;
  /** Seconds; its own 300 unless given. */
  readonly tokenLifetimeS?: number | undefined;
  /** Where its templates, translations, policy and assets are; absent: where its build expects them. */
  readonly share?: string | undefined;
}

/** Told in the run header, since a default MAS behaves differently. */
export function settingsOf({ tokenLifetimeS }: Pick<ConfigurationPlan, "tokenLifetimeS">) {
  return [
    "rate limits raised out of reach",
    "registration by password without e-mail, passwords of any strength",
    "an admin client, GraphQL for it",
    ...(tokenLifetimeS === undefined ? [] : [`access tokens live ${tokenLifetimeS} s`]),
  ];
}

/** JSON, which is YAML and has no surprises in strings. */
export function configurationOf(plan: ConfigurationPlan): string {
  const { publicBase, homeserver, secret, web, health, share, tokenLifetimeS } = plan;
  const inShare = (name: string) => path.join(share ?? "", name);
  const configuration = {
    http: {
      public_base: publicBase,
      listeners: [
        {
          name: "web",
          resources: [
            ...["discovery", "human", "oauth", "compat", "adminapi"].map((name) => ({ name })),
            // The admin API has no way to allow a reset of cross-signing keys; GraphQL has.
            { name: "graphql", undocumented_oauth2_access: true },
            share === undefined ? { name: "assets" } : { name: "assets", path: inShare("assets") },
          ],
          binds: [{ address: `${web.host}:${web.port}` }],
        },
        {
          name: "health",
          resources: [{ name: "health" }],
          binds: [{ address: `${health.host}:${health.port}` }],
        },
      ],
    },
    database: { uri: plan.database },
    matrix: {
      kind: "synapse",
      homeserver: homeserver.serverName,
      secret,
      endpoint: homeserver.endpoint,
    },
    secrets: { encryption: randomBytes(32).toString("hex"), keys: signingKeys() },
    clients: [
      {
        client_id: ADMIN_CLIENT,
        client_auth_method: "client_secret_basic",
        client_secret: plan.adminSecret,
      },
    ],
    policy: {
      data: { admin_clients: [ADMIN_CLIENT] },
      ...(share === undefined ? {} : { wasm_module: inShare("policy.wasm") }),
    },
    ...(share === undefined
      ? {}
      : {
          templates: {
            path: inShare("templates"),
            assets_manifest: inShare("manifest.json"),
            translations_path: inShare("translations"),
          },
        }),
    account: {
      password_registration_enabled: true,
      password_registration_email_required: false,
    },
    passwords: {
      enabled: true,
      minimum_complexity: 0,
      schemes: [{ version: 1, algorithm: "argon2id" }],
    },
    rate_limiting: {
      login: { per_ip: OUT_OF_REACH, per_account: OUT_OF_REACH },
      registration: OUT_OF_REACH,
    },
    ...(tokenLifetimeS === undefined
      ? {}
      : { experimental: { access_token_ttl: tokenLifetimeS, compat_token_ttl: tokenLifetimeS } }),
  };
  return JSON.stringify(configuration, null, 1);
}

/** By its defaults the fourth login of an address is refused. */
const OUT_OF_REACH = { burst: 10_000, per_second: 1_000 };

function signingKeys() {
  const pairs = {
    rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  };
  return Object.entries(pairs).map(([kid, { privateKey }]) => ({
    kid,
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
  }));
}
