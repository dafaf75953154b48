/** Accounts and sessions by MAS's admin API: https://element-hq.github.io/matrix-authentication-service/topics/admin-api.html */
import { randomBytes } from "node:crypto";
import type { AuthSession, ManagesAccounts } from "#harness/deployment/auth-contract";
import type { Registered, RegistersUsers } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { at } from "#harness/match/json";
import { type AdminClient, textAt } from "./admin-client.ts";

const API_SCOPE = "urn:matrix:client:api:*";
const DEVICE_SCOPE = /^urn:matrix:(?:org\.matrix\.msc2967\.)?client:device:(.+)$/;

/** Its kinds of sessions: how they are told apart, found by user, and ended. */
const KINDS = [
  { kind: "oauth2-sessions", user: "user", end: "finish" },
  { kind: "compat-sessions", user: "user", end: "finish" },
  { kind: "personal-sessions", user: "actor_user", end: "revoke" },
] as const;

const ALLOW_RESET = `mutation ($user: ID!) {
  allowUserCrossSigningReset(input: { userId: $user }) { user { id } }
}`;

export function managesAccounts(admin: AdminClient): ManagesAccounts {
  const idOf = (localpart: string) => userId(admin, localpart);
  const act = async (localpart: string, action: string, body?: object) => {
    await admin.ask("POST", `/users/${await idOf(localpart)}/${action}`, body);
  };
  return {
    createAccount: async (localpart, password) => {
      await createAccount(admin, localpart, password);
    },
    issueToken: async ({ localpart, scope, deviceId, expiresInS }) => {
      const device = deviceId === undefined ? [] : [`urn:matrix:client:device:${deviceId}`];
      const { json } = await admin.ask("POST", "/personal-sessions", {
        actor_user_id: await idOfAnyone(admin, localpart),
        human_name: "crucible",
        scope: [scope, ...device].join(" "),
        ...(expiresInS === undefined ? {} : { expires_in: expiresInS }),
      });
      return { accessToken: textAt(json, "data", "attributes", "access_token") };
    },
    lock: (localpart) => act(localpart, "lock"),
    unlock: (localpart) => act(localpart, "unlock"),
    deactivate: (localpart) => act(localpart, "deactivate", { skip_erase: true }),
    reactivate: (localpart) => act(localpart, "reactivate"),
    allowCrossSigningReset: async (localpart) => {
      await admin.graphql(ALLOW_RESET, { user: `user:${await idOf(localpart)}` });
    },
    sessions: async (localpart) => {
      const user = await idOf(localpart);
      const found = await Promise.all(KINDS.map((kind) => sessionsOf(admin, kind, user)));
      return found.flat();
    },
    endSession: async (id) => {
      const [kind = "", ulid = ""] = id.split("/");
      const end = KINDS.find((each) => each.kind === kind)?.end;
      if (end === undefined) {
        throw new HarnessError("INTERNAL", { what: `${id} is no session that MAS has told of` });
      }
      await admin.ask("POST", `/${kind}/${ulid}/${end}`);
    },
  };
}

/** Accounts with a session of the compatibility layer, which does not end; admins get a personal session. */
export function registersUsers(admin: AdminClient, serverName: string): RegistersUsers {
  return {
    register: async (localpart, password, options) => {
      const user = await createAccount(admin, localpart, password);
      return options?.admin === true
        ? await adminSession(admin, user, `@${localpart}:${serverName}`)
        : await logIn(admin, localpart, password);
    },
  };
}

async function logIn(admin: AdminClient, localpart: string, password: string): Promise<Registered> {
  const { status, json } = await admin.asAnyone("/_matrix/client/v3/login", {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: localpart },
    password,
  });
  if (status !== 200) {
    throw new HarnessError("HS_NO_ANSWER", {
      what: `the new user ${localpart} can not log in by MAS's compatibility layer`,
      facts: [`POST /_matrix/client/v3/login answered ${status}`],
      next: "see the auth service's log; passwords.enabled has to be true",
    });
  }
  return {
    userId: textAt(json, "user_id"),
    accessToken: textAt(json, "access_token"),
    deviceId: textAt(json, "device_id"),
  };
}

/** The compatibility layer never makes server admins. */
async function adminSession(
  admin: AdminClient,
  user: string,
  matrixId: string,
): Promise<Registered> {
  const deviceId = randomBytes(5).toString("hex").toUpperCase();
  const { json } = await admin.ask("POST", "/personal-sessions", {
    actor_user_id: user,
    human_name: "crucible admin",
    scope: `${API_SCOPE} urn:matrix:client:device:${deviceId} urn:synapse:admin:*`,
  });
  const accessToken = textAt(json, "data", "attributes", "access_token");
  return { userId: matrixId, accessToken, deviceId };
}

/** @returns its id in MAS, a ULID. */
async function createAccount(
  admin: AdminClient,
  localpart: string,
  password: string,
): Promise<string> {
  const { json } = await admin.ask("POST", "/users", { username: localpart });
  const id = textAt(json, "data", "id");
  await admin.ask("POST", `/users/${id}/set-password`, { password, skip_password_check: true });
  return id;
}

async function userId(admin: AdminClient, localpart: string): Promise<string> {
  const { json } = await admin.ask("GET", `/users/by-username/${encodeURIComponent(localpart)}`);
  return textAt(json, "data", "id");
}

/** A user that an application service made has no account in MAS yet. */
async function idOfAnyone(admin: AdminClient, localpart: string): Promise<string> {
  const path = `/users/by-username/${encodeURIComponent(localpart)}`;
  const { status, json } = await admin.ask("GET", path, undefined, [404]);
  if (status !== 404) return textAt(json, "data", "id");
  const made = await admin.ask("POST", "/users", {
    username: localpart,
    skip_homeserver_check: true,
  });
  return textAt(made.json, "data", "id");
}

async function sessionsOf(
  admin: AdminClient,
  { kind, user }: (typeof KINDS)[number],
  ulid: string,
): Promise<AuthSession[]> {
  const query = new URLSearchParams({
    [`filter[${user}]`]: ulid,
    "filter[status]": "active",
    "page[first]": "1000",
  });
  const { json } = await admin.ask("GET", `/${kind}?${query}`);
  const entries = at(json, "data");
  return (Array.isArray(entries) ? entries : []).map((entry: unknown) => {
    const clientId = at(entry, "attributes", "client_id");
    const deviceId = at(entry, "attributes", "device_id") ?? deviceOf(entry);
    return {
      id: `${kind}/${textAt(entry, "id")}`,
      ...(typeof deviceId === "string" ? { deviceId } : {}),
      ...(typeof clientId === "string" ? { clientId } : {}),
    };
  });
}

function deviceOf(entry: unknown): string | undefined {
  const scope = at(entry, "attributes", "scope");
  const scopes = typeof scope === "string" ? scope.split(" ") : [];
  return scopes.map((each) => DEVICE_SCOPE.exec(each)?.[1]).find((device) => device !== undefined);
}
