/** The configuration of one Synapse process: `homeserver.yaml` of this folder, feature files, and names and ports. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { registrationOf } from "#drivers/substrates/registration";
import type {
  AuthAccess,
  Feature,
  NetworkPlan,
  RtcAccess,
  Setting,
} from "#harness/deployment/contract";
import { applySetting, authWith } from "./restart-settings.ts";
import type { Delegation } from "./versions.ts";

const HERE = import.meta.dirname;

export interface ConfigurationPlan {
  readonly folder: string;
  readonly serverName: string;
  readonly host: string;
  readonly port: number;
  readonly sharedSecret: string;
  readonly features: readonly Feature[];
  /** Names of files in `settings/`. */
  readonly settings?: readonly string[];
  /** What it is started again with. */
  readonly setting?: Setting;
  readonly network: NetworkPlan | undefined;
  readonly auth?: AuthAccess | undefined;
  /** Where the release is told of it. */
  readonly delegation?: Delegation;
  readonly rtc?: RtcAccess | undefined;
  readonly database: Readonly<Record<string, unknown>>;
  /** Only migrates a database, in haste. */
  readonly isTemplate?: boolean;
}

export const FEATURES: readonly Feature[] = [
  "rate-limits",
  "guarded-rendezvous",
  "no-delayed-events",
  "two-rtc-transports",
  "clock-ahead",
  "clock-behind",
];
/** Those that have a file in `features/`. */
const FILES: readonly Feature[] = ["rate-limits", "no-delayed-events", "two-rtc-transports"];

/** What the option `with` may name: settings of Synapse alone, which no check asks for. */
export const SETTINGS_FILES: readonly string[] = readdirSync(path.join(HERE, "settings")).map(
  (name) => path.basename(name, ".yaml"),
);

/** Writes configuration, signing key and registrations into the folder; returns the configuration's path. */
export function writeConfiguration(plan: ConfigurationPlan): string {
  const { folder, serverName, host, port, network } = plan;
  const settings = [
    readYaml("homeserver.yaml"),
    ...plan.features
      .filter((feature) => FILES.includes(feature))
      .map((feature) => readYaml(`features/${feature}.yaml`)),
    ...(plan.settings ?? []).map((name) => readYaml(`settings/${name}.yaml`)),
  ];
  const inFolder = (name: string) => path.join(folder, name);
  const configuration: Record<string, unknown> = {
    ...Object.assign({}, ...settings),
    experimental_features: Object.assign(
      {},
      ...settings.map(({ experimental_features: experiments }) => experiments),
    ),
    server_name: serverName,
    pid_file: inFolder("homeserver.pid"),
    listeners: [
      {
        port,
        bind_addresses: [host],
        type: "http",
        x_forwarded: false,
        resources: [{ names: ["client", "federation"], compress: false }],
      },
    ],
    database: plan.database,
    log_config: inFolder("log.yaml"),
    media_store_path: inFolder("media"),
    signing_key_path: inFolder("signing.key"),
    registration_shared_secret: plan.sharedSecret,
    macaroon_secret_key: `macaroons-${plan.sharedSecret}`,
    form_secret: `forms-${plan.sharedSecret}`,
    ...(plan.isTemplate === true ? { background_updates: { sleep_enabled: false } } : {}),
  };
  const auth = authWith(plan.setting, plan.auth);
  if (auth !== undefined) delegate(configuration, auth, plan);
  if (network !== undefined) {
    configuration.federation_custom_ca_list = [network.ca.file];
    configuration.app_service_config_files = [inFolder("appservice.yaml")];
    write(inFolder("appservice.yaml"), registrationOf(network.appservice, "127.0.0.1"));
  }
  if (plan.rtc !== undefined) serveCalls(configuration, plan.rtc, inFolder("rtc.yaml"));
  if (plan.setting !== undefined) applySetting(configuration, plan.setting);
  if (!existsSync(inFolder("signing.key"))) {
    const seed = randomBytes(32).toString("base64").replace(/=+$/, "");
    writeFileSync(
      inFolder("signing.key"),
      `ed25519 a_${randomBytes(3).toString("hex")} ${seed}\n`,
      { mode: 0o600 },
    );
  }
  write(inFolder("log.yaml"), LOGGING);
  // JSON is YAML, and has no surprises in strings.
  write(inFolder("homeserver.yaml"), configuration);
  return inFolder("homeserver.yaml");
}

/** Settings about accounts that Synapse refuses beside an auth service (synapse/config/mas.py). */
const OWN_ACCOUNTS = [
  "enable_registration",
  "enable_registration_without_verification",
  "allow_guest_access",
  "refreshable_access_token_lifetime",
  "registration_shared_secret",
];

/** Leaves accounts and tokens to an auth service, in the form that the release knows. */
function delegate(
  configuration: Record<string, unknown>,
  access: AuthAccess,
  { delegation, features }: Pick<ConfigurationPlan, "delegation" | "features">,
): void {
  for (const setting of OWN_ACCOUNTS) delete configuration[setting];
  configuration.password_config = { enabled: false };
  const { experimental_features: experiments } = configuration;
  if (delegation === "experimental_features.msc3861") {
    configuration.experimental_features = { ...(experiments as object), msc3861: asClient(access) };
    return;
  }
  const { endpoint, secret } = access;
  configuration.matrix_authentication_service = { enabled: true, endpoint, secret };
  const rendezvous = features.includes("guarded-rendezvous") ? "authenticated" : "open";
  configuration.experimental_features = { ...(experiments as object), msc4388_mode: rendezvous };
}

/**
 * Before 1.136 Synapse asks about tokens as a client of the service, and knows the service's calls by an admin's token
 * (synapse/config/experimental.py of 1.135). It finds the service's metadata by the issuer: here by its link to the service.
 */
function asClient({ endpoint, secret }: AuthAccess): Record<string, unknown> {
  return {
    enabled: true,
    issuer: endpoint,
    introspection_endpoint: `${endpoint}oauth2/introspect`,
    client_id: "synapse",
    client_auth_method: "client_secret_basic",
    client_secret: secret,
    admin_token: secret,
  };
}

/**
 * Announces the SFU, and hands requests for tokens to the RTC authorization service as an application service (MSC4512), which may
 * ask who is in a room (MSC4502) and act for users.
 */
function serveCalls(configuration: Record<string, unknown>, rtc: RtcAccess, file: string): void {
  const { websocketUrl: url, publicBase, endpoint, registration } = rtc;
  const transport = { type: "livekit", url, livekit_service_url: publicBase.replace(/\/$/, "") };
  // A feature may have set others.
  configuration.matrix_rtc ??= { transports: [transport] };
  // What clients of the older contract read is served only where this is said, which is the default otherwise.
  configuration.public_baseurl = `https://${configuration.server_name}/`;
  const { type, livekit_service_url } = transport;
  configuration.extra_well_known_client_content = {
    "org.matrix.msc4143.rtc_foci": [{ type, livekit_service_url }],
  };
  if (registration === undefined) return;
  const { experimental_features: experiments, app_service_config_files: files = [] } =
    configuration;
  configuration.experimental_features = {
    ...(experiments as object),
    msc4512_enabled: true,
    msc4502_enabled: true,
  };
  configuration.app_service_config_files = [...(files as string[]), file];
  write(file, {
    id: "rtc",
    url: null,
    as_token: registration.asToken,
    hs_token: registration.hsToken,
    sender_localpart: "crucible_rtc_bot",
    rate_limited: false,
    namespaces: { users: [{ exclusive: false, regex: ".*" }], aliases: [], rooms: [] },
    "io.element.msc4512.proxy_prefix": "rtc/livekit",
    "io.element.msc4512.proxy_url": endpoint.replace(/\/$/, ""),
    "io.element.msc4502.scopes": ["urn:matrix:client:io.element.msc4502:rooms:is_joined"],
  });
}

const LOGGING = {
  version: 1,
  disable_existing_loggers: false,
  formatters: {
    plain: { format: "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s" },
  },
  handlers: { console: { class: "logging.StreamHandler", formatter: "plain" } },
  // Whether tokens are told there is under test.
  loggers: { "synapse.util.caches.response_cache": { level: "INFO" } },
  root: { level: "WARNING", handlers: ["console"] },
};

function readYaml(name: string): Record<string, unknown> {
  return parse(readFileSync(path.join(HERE, name), "utf8"), { merge: true });
}

function write(file: string, content: unknown): void {
  writeFileSync(file, JSON.stringify(content, null, 1), { mode: 0o600 });
}
