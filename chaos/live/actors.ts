/** Makes the users of a plan: those of the run's application service, or where servers have auth services, those of these. */
import type { Deployment } from "#harness/deployment/deployment";
import { registerUser } from "#harness/deployment/register";
import { HarnessError } from "#harness/errors";
import { createClient, type HttpClient } from "#harness/http/client";
import { type JsonObject, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import { type ServerInfo, serverInfo } from "#harness/world/run-info";
import { type Account, Session, type SessionContext } from "#harness/world/session";

/** A user of the plan: a device, and the application service's client, which can act as users of its own at another time. */
export interface Actor {
  readonly name: string;
  /** `hs1`, … */
  readonly role: string;
  readonly userId: string;
  readonly session: Session;
  readonly appservice: HttpClient;
  /** What logs in a further device: by whom, and what is sent. */
  readonly login: { readonly client: Pick<HttpClient, "request">; readonly body: JsonObject };
  /** A further device. */
  readonly logIn: () => Promise<Session>;
}

interface Role {
  readonly name: string;
  readonly role: string;
  readonly suffix: string;
}

const REQUEST_TIMEOUT_MS = 20_000;

/** What clients of a story have in common. */
export function storyContext(
  deployment: Deployment,
  suffix: string,
  signal: AbortSignal,
): SessionContext {
  let count = 0;
  return {
    check: `chaos-${suffix}`,
    signal,
    timeoutScale: 1,
    onExchange: () => undefined,
    onRoom: () => undefined,
    accountsOf: ({ role }) => deployment.server(role).auth?.service.capabilities.managesAccounts,
    nextName: (prefix) => `${prefix}-${suffix}-${++count}`,
  };
}

/** @throws HarnessError BAD_CONFIG when the server lets nobody make users */
export async function makeActor(
  deployment: Deployment,
  context: SessionContext,
  { name, role, suffix }: Role,
): Promise<Actor> {
  const server = deployment.server(role);
  const info = serverInfo(server);
  const { asToken, prefix } = deployment.appservice;
  const appservice = createClient({
    baseUrl: info.clientUrl,
    accessToken: asToken,
    check: context.check,
    signal: context.signal,
    timeoutMs: REQUEST_TIMEOUT_MS,
  });
  const isOwn = server.auth === undefined;
  // Names of the application service are for nobody else.
  const localpart = `${isOwn ? prefix : "chaos_"}${suffix}_${name}`;
  const made = isOwn
    ? await byAppservice(info, context, appservice, { localpart, role, asToken })
    : await byAuthService(info, context, deployment, { localpart, role });
  const { session, login } = made;
  const { userId, password } = session;
  const logIn = async () => {
    const { body } = login;
    const answer = ok(await login.client.request("POST", "/_matrix/client/v3/login", { body }));
    return made.deviceOf({ userId, localpart, password }, answer);
  };
  return { name, role, userId, session, appservice, login, logIn };
}

interface Made extends Pick<Actor, "session" | "login"> {
  readonly deviceOf: (account: Account, answer: unknown) => Session;
}

async function byAppservice(
  info: ServerInfo,
  context: SessionContext,
  appservice: HttpClient,
  { localpart, role, asToken }: { localpart: string; role: string; asToken: string },
): Promise<Made> {
  const { status, json, text } = await appservice.request("POST", "/_matrix/client/v3/register", {
    body: { type: "m.login.application_service", username: localpart },
  });
  if (status !== 200) {
    throw new HarnessError("BAD_CONFIG", {
      what: `${role} lets the run's application service make no user: ${status}`,
      facts: [text.slice(0, 200)],
      next: "chaos needs servers that take the application service's registration",
    });
  }
  const deviceOf = (account: Account, answer: unknown) =>
    new Session(info, context, { ...account, ...tokensIn(answer), serviceToken: asToken });
  return {
    session: deviceOf({ userId: textAt(json, "user_id"), localpart, password: "" }, json),
    login: {
      client: appservice,
      body: {
        type: "m.login.application_service",
        identifier: { type: "m.id.user", user: localpart },
      },
    },
    deviceOf,
  };
}

/** By the service's own way, as its users have passwords; its compatibility layer logs in further devices. */
async function byAuthService(
  info: ServerInfo,
  context: SessionContext,
  deployment: Deployment,
  { localpart, role }: { localpart: string; role: string },
): Promise<Made> {
  const password = `pass-${crypto.randomUUID()}`;
  const { server } = deployment.server(role);
  const { userId, ...device } = await registerUser(server, localpart, password);
  const deviceOf = (account: Account, answer: unknown) =>
    new Session(info, context, { ...account, ...tokensIn(answer) });
  const session = new Session(info, context, { userId, localpart, password, ...device });
  return {
    session,
    login: {
      client: session,
      body: {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: localpart },
        password,
      },
    },
    deviceOf,
  };
}

function tokensIn(answer: unknown): { accessToken: string; deviceId: string } {
  return {
    accessToken: textAt(answer, "access_token"),
    deviceId: textAt(answer, "device_id"),
  };
}
