/**
 * A server that already runs: `url:https://hs.example[,option=value…]`. Options: `server-name` (as in user ids; asked
 * from the server when absent), `federation` (base URL of its federation listener), `shared-secret` (Synapse's
 * registration API), `users` (file with one `localpart:password` a line; each is used once).
 */
import { readFileSync } from "node:fs";
import { addressOf, requireAnswer } from "#drivers/substrates/running";
import { registerBySharedSecret } from "#drivers/substrates/shared-secret";
import {
  defineDriver,
  type Registered,
  type RegistersUsers,
  type RunningServer,
  type StartContext,
} from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { scrub } from "#harness/gateway/scrub";
import { createClient } from "#harness/http/client";
import { at, show } from "#harness/match/json";

export const url = defineDriver({
  name: "url",
  usage: ["url:https://<host>[,shared-secret=…|,users=<file>]"],
  accepts: ({ substrate }) => substrate === "url",
  prepare: async () => undefined,
  start,
});

async function start({ role, spec }: StartContext): Promise<RunningServer> {
  const base = parseBase(spec.url ?? "");
  const client = addressOf(base);
  const given = spec.options.get("federation");
  const federation = given === undefined ? client : addressOf(parseBase(given));
  await requireAnswer(role, `${base.origin}/_matrix/client/versions`);
  const registersUsers = registration(base.origin, spec.options);
  return {
    role,
    serverName: spec.options.get("server-name") ?? base.host,
    client: () => client,
    federation: () => federation,
    settings: ["runs elsewhere: its settings are not ours"],
    capabilities: { registersUsers },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function registration(baseUrl: string, options: ReadonlyMap<string, string>): RegistersUsers {
  const secret = options.get("shared-secret");
  if (secret !== undefined) {
    return {
      register: (localpart, password, admin) =>
        registerBySharedSecret({
          baseUrl,
          secret,
          localpart,
          password,
          admin: admin?.admin ?? false,
        }),
    };
  }
  const file = options.get("users");
  if (file !== undefined) return givenUsers(baseUrl, file);
  return { register: (localpart, password) => registerOpenly(baseUrl, localpart, password) };
}

/** Registration as any client would, by the dummy stage. */
async function registerOpenly(
  baseUrl: string,
  localpart: string,
  password: string,
): Promise<Registered> {
  const body = { username: localpart, password, auth: { type: "m.login.dummy" } };
  const client = createClient({ baseUrl });
  const { status, json } = await client.request("POST", "/_matrix/client/v3/register", { body });
  if (status === 200) return registered(json);
  throw new HarnessError("BAD_CONFIG", {
    what: `the server at ${baseUrl} does not let anybody register`,
    facts: [`POST /_matrix/client/v3/register answered ${status}`],
    next: "give shared-secret=… or users=<file with localpart:password lines>",
  });
}

function givenUsers(baseUrl: string, file: string): RegistersUsers {
  let lines: string[];
  try {
    lines = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.includes(":"));
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the users file ${file} can not be read`,
      next: "one localpart:password a line",
      cause,
    });
  }
  const total = lines.length;
  return {
    register: async () => {
      const [localpart = "", password = ""] = (lines.shift() ?? "").split(/:(.*)/s);
      if (localpart === "") {
        throw new HarnessError("BAD_CONFIG", {
          what: `the ${total} users of ${file} are used up`,
          next: "add users, or select fewer checks",
        });
      }
      const body = {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: localpart },
        password,
      };
      const client = createClient({ baseUrl });
      const { status, json } = await client.request("POST", "/_matrix/client/v3/login", { body });
      if (status === 200) return registered(json);
      throw new HarnessError("BAD_CONFIG", {
        what: `user ${localpart} of ${file} can not log in`,
        facts: [`status ${status}`],
      });
    },
  };
}

function registered(json: unknown): Registered {
  const [userId, accessToken, deviceId] = ["user_id", "access_token", "device_id"].map((key) =>
    at(json, key),
  );
  if (
    typeof userId !== "string" ||
    typeof accessToken !== "string" ||
    typeof deviceId !== "string"
  ) {
    throw new HarnessError("HS_NO_ANSWER", {
      what: "a user was made or logged in, but not all of user_id, access_token and device_id came back",
      facts: [scrub(show(json))],
      next: "check that the URL is that of a Matrix homeserver",
    });
  }
  return { userId, accessToken, deviceId };
}

function parseBase(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new HarnessError("BAD_USAGE", {
      what: `${text} is no URL`,
      next: "write url:https://host[:port]",
      cause,
    });
  }
}
