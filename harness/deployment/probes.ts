/**
 * What a deployment is and can do, found out by asking it, never by its name: so a check that needs a feature runs on
 * every server that has it.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DEDICATED_FORMS } from "#harness/clients/rtc/delayed-events";
import {
  SLIDING_SYNC_FLAG,
  STABLE,
  STABLE_PATH,
  UNSTABLE,
  UNSTABLE_PATH,
} from "#harness/clients/sliding-sync/dialect";
import type { Gateway, ServerLinks } from "#harness/gateway/gateway";
import { createClient, type HttpClient } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { compareVersions } from "#harness/versions";
import type { DeployedAuth } from "./auth-services.ts";
import type { AppserviceRegistration, RunningServer } from "./contract.ts";
import { registerUser } from "./register.ts";
import { probeMedia, probeRtcAuth, probeRtcToken, probeSfu } from "./rtc-probes.ts";
import type { DeployedRtcAuth, DeployedSfu } from "./rtc-services.ts";

export interface Identity {
  /** Lower case; `unknown` when the server does not say. */
  readonly name: string;
  readonly version: string;
  /** The whole of what it says of its version, with the commit for example: text of others. */
  readonly said: string;
}

/** Implementation and version by `GET /_matrix/federation/v1/version`. */
export async function probeIdentity(links: ServerLinks): Promise<Identity> {
  try {
    const { json } = await createClient({ baseUrl: links.federationUrl }).request(
      "GET",
      "/_matrix/federation/v1/version",
    );
    const { name, version } =
      (json as { server?: { name?: unknown; version?: unknown } }).server ?? {};
    return {
      name: clean(name, "unknown").toLowerCase(),
      version: clean(version, "unknown").split(" ")[0] ?? "unknown",
      said: typeof version === "string" ? version.slice(0, SAID_AT_MOST) : "",
    };
  } catch {
    return { name: "unknown", version: "unknown", said: "" };
  }
}

const SAID_AT_MOST = 200;

/** A server that looks for the peer elsewhere must not hold up the start. */
const PEER_TIMEOUT_MS = 5_000;

/** Advertised by their flag, whichever of their paths the server serves. */
const PROPOSALS = [
  ["delayed-events", "org.matrix.msc4140"],
  ["sticky-events", "org.matrix.msc4354"],
  ["rtc-transports", "org.matrix.msc4143"],
] as const;

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

interface Probed {
  readonly server: RunningServer;
  readonly links: ServerLinks;
  readonly auth?: DeployedAuth;
  readonly sfu?: DeployedSfu;
  readonly rtc?: DeployedRtcAuth;
}

/**
 * Features that requirements name under `needs`: `next-gen-auth` (it publishes an authorization server, MSC3861),
 * `legacy-auth` (accounts and devices are in the hands of its own client API), `auth:<ability>` of its auth service, among
 * them `auth:wired` (what the homeserver asks it passes the gateway, which is not so where both ran before),
 * `federation`, `fedpeer` (it reaches a peer that a check scripts),
 * `fedproxy` (it does so by a proxy, and so finds a peer on any port), `open-registration`, `password-login`,
 * `refresh-tokens`, `presence`, `directory-open`, `url-preview`, `appservice`, `crypto`, `dehydrated-devices` (MSC3814),
 * `setting:<name>` (the server can be started again with it), `sliding-sync` (`:stable`, `:unstable`), `device-grant` (RFC 8628),
 * `account-management` (MSC4191), `rendezvous` (MSC4388), `rate-limits`, `guarded-rendezvous`, `no-delayed-events`
 * `two-rtc-transports`, `clock-ahead` and `clock-behind` (can be switched on), `delayed-events` (MSC4140; `:stable`, `:unstable`: by the endpoint of the merged text),
 * `sticky-events` (MSC4354), `rtc-transports` (MSC4143), `sfu`, `media` (beside an SFU: participants of ours that send and hear), `rtc-auth` and `rtc-token` (older and newer way to a token for it,
 * MSC4195; `:stable`: by the path without a prefix), `vX.Y` for each
 * version up to the newest listed one,
 * `room-version:N`, and a server's `unstable:<flag>`.
 */
export async function probeFeatures(
  servers: readonly Probed[],
  appservice: AppserviceRegistration,
  gateway: Gateway,
): Promise<ReadonlySet<string>> {
  const features = new Set<string>();
  const [first] = servers;
  if (first === undefined) return features;
  if (servers.length > 1) features.add("federation");
  const { server, links, auth, sfu, rtc } = first;
  for (const feature of server.capabilities.configuresFeatures?.features ?? [])
    features.add(feature);
  for (const setting of server.capabilities.restartsWith?.settings ?? [])
    features.add(`setting:${setting}`);
  for (const [capability, value] of Object.entries(server.capabilities)) {
    if (value !== undefined) features.add(`server:${capability}`);
  }
  for (const [capability, value] of Object.entries(auth?.service.capabilities ?? {})) {
    if (value !== undefined) features.add(`auth:${capability}`);
  }
  const anonymous = createClient({ baseUrl: links.clientUrl });
  // Without versions or users there is nothing to check; without a useful answer to another one, one feature less.
  await Promise.all([
    probeVersions(anonymous, features),
    attempt(probeRegistration(anonymous, features)),
    attempt(probeLogin(anonymous, features)),
    probeAuth(anonymous, auth !== undefined, features),
    attempt(probeAuthMetadata(anonymous, features)),
    attempt(probeRendezvous(anonymous, features)),
    attempt(probeAppservice(links, appservice, features)),
    attempt(probeSfu(sfu, features)),
    attempt(probeMedia(sfu, features)),
    attempt(probeRtcAuth(rtc, features)),
    probeAsUser(server, links, features, gateway),
  ]);
  // It has asked for the token of a user just now.
  if (auth !== undefined && gateway.hasCarried(server.role, auth.role)) features.add("auth:wired");
  return features;
}

/** An answer that does not come, or is nothing that one can read, is that of a server without the feature. */
async function attempt(probe: Promise<void>): Promise<void> {
  await probe.catch(() => undefined);
}

async function probeVersions(client: HttpClient, features: Set<string>): Promise<void> {
  const { json } = await client.request("GET", "/_matrix/client/versions");
  const { versions, unstable_features } = (json ?? {}) as {
    versions?: unknown;
    unstable_features?: Record<string, unknown>;
  };
  const listed = (Array.isArray(versions) ? versions : []).filter(
    (version): version is string => typeof version === "string" && /^v\d+\.\d+$/.test(version),
  );
  for (const version of listed) features.add(version);
  const newest = listed.sort(compareVersions).at(-1);
  // A server that lists v1.15 has what v1.14 brought, whether or not it lists that one too.
  const [, minor] = /^v1\.(\d+)$/.exec(newest ?? "") ?? [];
  for (let older = 1; older <= Number(minor ?? 0); older++) features.add(`v1.${older}`);
  for (const [flag, isOn] of Object.entries(unstable_features ?? {})) {
    if (isOn === true) features.add(`unstable:${flag}`);
  }
  for (const [feature, flag] of PROPOSALS) {
    if ([flag, `${flag}.stable`].some((name) => features.has(`unstable:${name}`)))
      features.add(feature);
  }
  if (features.has(`unstable:${SLIDING_SYNC_FLAG}`))
    features.add(UNSTABLE.feature).add("sliding-sync");
}

async function probeRegistration(client: HttpClient, features: Set<string>): Promise<void> {
  const { status, json } = await client.request("POST", "/_matrix/client/v3/register", {
    body: {},
  });
  const { flows } = (json ?? {}) as { flows?: { stages?: string[] }[] };
  if (
    status === 401 &&
    flows?.some(({ stages }) => stages?.length === 1 && stages[0] === "m.login.dummy")
  ) {
    features.add("open-registration");
  }
}

async function probeLogin(client: HttpClient, features: Set<string>): Promise<void> {
  const { json } = await client.request("GET", "/_matrix/client/v3/login");
  const { flows } = (json ?? {}) as { flows?: { type?: string }[] };
  if (flows?.some(({ type }) => type === "m.login.password")) features.add("password-login");
}

/**
 * A server without the legacy endpoints breaks the specification, unless it has what stands in their place.
 *
 * @param hasAuthService It was told to delegate: whether it does is for checks to find out, and nothing to skip them for.
 */
async function probeAuth(
  client: HttpClient,
  hasAuthService: boolean,
  features: Set<string>,
): Promise<void> {
  const isNextGen = hasAuthService || (await hasAuthMetadata(client).catch(() => false));
  if (isNextGen) features.add("next-gen-auth");
  const { status } = await client.request("POST", "/_matrix/client/v3/account/password", {
    body: {},
  });
  if (!isNextGen || status !== 404) features.add("legacy-auth");
}

async function hasAuthMetadata(client: HttpClient): Promise<boolean> {
  for (const version of ["v1", "unstable/org.matrix.msc2965"]) {
    const { status, json } = await client.request(
      "GET",
      `/_matrix/client/${version}/auth_metadata`,
    );
    if (status === 200 && typeof at(json, "issuer") === "string") return true;
  }
  return false;
}

async function probeAuthMetadata(client: HttpClient, features: Set<string>): Promise<void> {
  const { json } = await client.request("GET", "/_matrix/client/v1/auth_metadata");
  const grants = at(json, "grant_types_supported");
  const isListed = Array.isArray(grants) && grants.includes(DEVICE_GRANT);
  if (isListed && typeof at(json, "device_authorization_endpoint") === "string")
    features.add("device-grant");
  if (typeof at(json, "account_management_uri") === "string") features.add("account-management");
}

/** Nothing advertises it. A server that lets only users begin sessions refuses here and knows the path. */
async function probeRendezvous(client: HttpClient, features: Set<string>): Promise<void> {
  const path = "/_matrix/client/unstable/io.element.msc4388/rendezvous";
  const { status } = await client.request("GET", path);
  if ([200, 401, 403].includes(status)) features.add("rendezvous");
}

async function probeAppservice(
  links: ServerLinks,
  { asToken, senderLocalpart }: AppserviceRegistration,
  features: Set<string>,
): Promise<void> {
  const client = createClient({ baseUrl: links.clientUrl, accessToken: asToken });
  const { json } = await client.request("GET", "/_matrix/client/v3/account/whoami");
  const { user_id } = (json ?? {}) as { user_id?: string };
  if (user_id?.startsWith(`@${senderLocalpart}:`)) features.add("appservice");
}

async function probeAsUser(
  server: RunningServer,
  links: ServerLinks,
  features: Set<string>,
  gateway: Gateway,
): Promise<void> {
  if (server.capabilities.registersUsers === undefined) return;
  const password = crypto.randomUUID();
  const localpart = `probe-${crypto.randomUUID().slice(0, 8)}`;
  const user = await registerUser(server, localpart, password);
  const client = createClient({ baseUrl: links.clientUrl, accessToken: user.accessToken });
  const status = `/_matrix/client/v3/presence/${encodeURIComponent(user.userId)}/status`;
  const probes = [
    async () => {
      const { json } = await client.request("GET", "/_matrix/client/v3/capabilities");
      const { capabilities } = (json ?? {}) as {
        capabilities?: { "m.room_versions"?: { available?: Record<string, string> } };
      };
      for (const version of Object.keys(capabilities?.["m.room_versions"]?.available ?? {})) {
        features.add(`room-version:${version}`);
      }
    },
    async () => {
      const put = await client.request("PUT", status, { body: { presence: "unavailable" } });
      const get = await client.request("GET", status);
      const { presence } = (get.json ?? {}) as { presence?: string };
      if (put.status === 200 && presence === "unavailable") features.add("presence");
    },
    async () => {
      const { status: code } = await client.request(
        "GET",
        "/_matrix/client/v1/media/preview_url?url=x",
      );
      if (code !== 404) features.add("url-preview");
    },
    async () => {
      // The unstable endpoint goes by the flag, as clients do, where there is one: Synapse has it since 1.114.
      const { json } = await client.request("GET", "/_matrix/client/versions");
      const flags = at(json, "unstable_features");
      if (isObject(flags) && SLIDING_SYNC_FLAG in flags) return;
      const { status: code } = await client.request("POST", UNSTABLE_PATH, { body: {} });
      if (code === 200) features.add(UNSTABLE.feature).add("sliding-sync");
    },
    async () => {
      // Nothing advertises the stable one.
      const { status: code } = await client.request("POST", STABLE_PATH, { body: {} });
      if (code === 200) features.add(STABLE.feature).add("sliding-sync");
    },
    async () => {
      // Flags do not tell them from older forms. A room that is not there is refused, a path that is not there is unrecognized.
      const roomId = "!unknown:probe.invalid";
      for (const { feature, encode } of DEDICATED_FORMS) {
        const call = encode(roomId, { type: "m.probe", content: {}, delayMs: 1 }, "probe");
        const { status: code, json } = await client.request("PUT", call.path, { body: call.body });
        if (code !== 405 && at(json, "errcode") !== "M_UNRECOGNIZED") features.add(feature);
      }
    },
    async () => {
      const query = await client.request("POST", "/_matrix/client/v3/keys/query", {
        body: { device_keys: {} },
      });
      if (query.status === 200) features.add("crypto");
    },
    async () => {
      const path = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
      const { json } = await client.request("GET", path);
      // Nothing advertises it; a server without it does not know the path, and this user has no such device.
      if ((json as { errcode?: string }).errcode === "M_NOT_FOUND")
        features.add("dehydrated-devices");
    },
    () => probeRtcToken(client, features),
    async () => {
      const room = await client.request("POST", "/_matrix/client/v3/createRoom", {
        body: { visibility: "public" },
      });
      const { room_id } = (room.json ?? {}) as { room_id?: string };
      if (room_id === undefined) return;
      const path = `/_matrix/client/v3/directory/list/room/${encodeURIComponent(room_id)}`;
      const { json } = await client.request("GET", path);
      const { visibility } = (json ?? {}) as { visibility?: string };
      if (visibility !== "public") return;
      features.add("directory-open");
      await client.request("PUT", path, { body: { visibility: "private" } });
    },
    async () => {
      const login = await client.request("POST", "/_matrix/client/v3/login", {
        body: {
          type: "m.login.password",
          identifier: { type: "m.id.user", user: user.userId },
          password,
          refresh_token: true,
        },
      });
      const { refresh_token } = (login.json ?? {}) as { refresh_token?: string };
      if (refresh_token !== undefined) features.add("refresh-tokens");
    },
  ];
  await Promise.all(
    [...probes.map((probe) => probe()), probePeer(server.role, client, features, gateway)].map(
      attempt,
    ),
  );
}

/** Asks for a profile of a server that only the gateway knows: one that goes its own ways does not find it. */
async function probePeer(
  role: string,
  client: HttpClient,
  features: Set<string>,
  gateway: Gateway,
): Promise<void> {
  const peer = createServer((_, response) => {
    features.add("fedpeer");
    if (gateway.usesProxy(role)) features.add("fedproxy");
    response.writeHead(404, { "content-type": "application/json" });
    response.end('{"errcode":"M_NOT_FOUND","error":"only a probe"}');
  });
  const name = `probe-${crypto.randomUUID().slice(0, 8)}`;
  peer.listen(0, "127.0.0.1");
  try {
    await once(peer, "listening");
    const { port } = peer.address() as AddressInfo;
    await gateway.addPeer(name, { host: "127.0.0.1", port }, "probe");
    const userId = encodeURIComponent(`@nobody:${name}:8448`);
    const timeoutMs = PEER_TIMEOUT_MS;
    await client.request("GET", `/_matrix/client/v3/profile/${userId}`, { timeoutMs });
  } finally {
    await gateway.removePeer(name);
    peer.close();
    peer.closeAllConnections();
  }
}

/** Facts go into file names, folders and reports: short, printable, no separators of ours. */
function clean(value: unknown, fallback: string): string {
  if (typeof value !== "string") return fallback;
  const printable = value.replace(/[^\w.+\- ]/g, "").slice(0, 60);
  return printable === "" ? fallback : printable;
}
