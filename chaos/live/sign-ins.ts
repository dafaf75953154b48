/** People who sign in at the auth service of their server, refresh and sign out, and what becomes of that. */
import { setTimeout as sleep } from "node:timers/promises";
import type { HeldSession } from "#chaos/journal/record";
import type { JournalWriter } from "#chaos/journal/write";
import { type RegisteredClient, registerClient } from "#harness/clients/oauth/registration";
import {
  authClient,
  codeFor,
  exchange,
  type OAuthSession,
  refresh,
  revoke,
  type Site,
  sessionOf,
} from "#harness/clients/oauth/sign-in";
import type { ManagesAccounts } from "#harness/deployment/auth-contract";
import type { Deployment } from "#harness/deployment/deployment";
import { CheckFailure, describe, HarnessError } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { type ServerInfo, serverInfo } from "#harness/world/run-info";
import { type Account, ServerClient, Session, type SessionContext } from "#harness/world/session";
import { type AuthOperation, isOfAuth, type Operation } from "#scenarios/plan";
import { storyContext } from "./actors.ts";
import type { Actor, Cast } from "./cast.ts";
import type { Performed } from "./perform.ts";
import { unlessSilent } from "./silence.ts";

export interface SignInContext {
  readonly cast: Cast;
  readonly deployment: Deployment;
  readonly journal: JournalWriter;
  readonly signal: AbortSignal;
}

/** `leaving`: it was to sign out, and nobody knows whether that has come through. */
interface Held {
  readonly operation: string;
  readonly by: string;
  session: OAuthSession;
  state: "in" | "leaving" | "out";
}

/** Part of the usual time-outs of clients: what is broken on purpose gives no answer. */
const PATIENCE = 0.2;
/** Once nothing is broken any more, so long until all fits together; an auth service catches up on devices by itself. */
const SETTLE_MS = 30_000;
const POLL_MS = 250;

const WHOAMI = "/_matrix/client/v3/account/whoami";
const DEVICES = "/_matrix/client/v3/devices";

export class SignIns {
  readonly #context: SignInContext;
  readonly #site: StorySite;
  readonly #clients: ReadonlyMap<string, RegisteredClient>;
  #held: Held[] = [];

  private constructor(
    context: SignInContext,
    site: StorySite,
    clients: ReadonlyMap<string, RegisteredClient>,
  ) {
    this.#context = context;
    this.#site = site;
    this.#clients = clients;
  }

  /** Undefined: the plan has no auth services. Has to be done before anything is broken. */
  static async start(context: SignInContext): Promise<SignIns | undefined> {
    const { cast, deployment } = context;
    if (cast.plan.auth !== true) return undefined;
    const site = new StorySite(context);
    const clients = [...deployment.servers.keys()].map(
      async (role) => [role, await registerClient(await authClient(site, role))] as const,
    );
    return new SignIns(context, site, new Map(await Promise.all(clients)));
  }

  /** Undefined: it is none of what people do at an auth service. */
  async perform(operation: Operation): Promise<Performed | undefined> {
    if (!isOfAuth(operation)) return undefined;
    const began = Date.now();
    try {
      return { began, events: [], ...(await this.#do(operation)) };
    } catch (error) {
      const isPage = error instanceof CheckFailure;
      const isSilence = error instanceof HarnessError && error.code === "HS_NO_ANSWER";
      if (!isPage && !isSilence) throw error;
      // What pages lead to before there is a code changes nothing.
      const message =
        describe(error)
          .split("\n")[0]
          ?.replace(/\?\S*:/, ":") ?? "";
      return { began, events: [], outcome: isPage ? "fail" : "unknown", message };
    }
  }

  async #do({ op, by, id }: AuthOperation): Promise<Pick<Performed, "outcome" | "message">> {
    const actor = this.#context.cast.actor(by);
    if (op === "sign-in") {
      const client = this.#clients.get(actor.role);
      const person = personOf(actor);
      const grant = await codeFor(this.#site, person, client === undefined ? {} : { client });
      const response = await exchange(grant);
      if (response.status !== 200) return toldBy(response);
      const scope = grant.parameters.scope ?? "";
      const session = sessionOf(this.#site, person, { client: grant.client, scope }, response);
      this.#held.push({ operation: id, by, session, state: "in" });
      return { outcome: "ok" };
    }
    const own = this.#held.filter((held) => held.by === by && held.state === "in");
    const held = op === "refresh" ? own[0] : own.at(-1);
    if (held === undefined) return { outcome: "fail", message: `${by} has not signed in` };
    if (op === "sign-out") {
      held.state = "leaving";
      return await this.#leave(held);
    }
    const response = await this.#refresh(held, actor);
    return response.status === 200 ? { outcome: "ok" } : toldBy(response);
  }

  async #refresh(held: Held, actor: Actor): Promise<HttpResponse> {
    const response = await refresh(held.session);
    if (response.status === 200)
      held.session = sessionOf(this.#site, personOf(actor), held.session, response);
    return response;
  }

  async #leave(held: Held): Promise<Pick<Performed, "outcome" | "message">> {
    const response = await revoke(held.session);
    if (response.status !== 200) return toldBy(response);
    held.state = "out";
    return { outcome: "ok" };
  }

  /** Once nothing is broken: clients go on, those that were signing out do it again, and both sides tell what they have. */
  async observe(epoch: number): Promise<void> {
    const actors = [...this.#context.cast.actors.values()];
    await Promise.all(actors.map((actor) => this.#observeOne(epoch, actor)));
    // What has ended is looked at once.
    this.#held = this.#held.filter(({ state }) => state === "in");
  }

  async #observeOne(epoch: number, actor: Actor): Promise<void> {
    const { cast, journal } = this.#context;
    const own = this.#held.filter(({ by }) => by === actor.name);
    const deadline = Date.now() + SETTLE_MS;
    const refreshed = new Map<Held, HttpResponse | undefined>();
    for (const held of own) {
      const answer = await this.#patiently(deadline, () =>
        held.state === "in" ? this.#refresh(held, actor) : revoke(held.session),
      );
      if (held.state === "in") refreshed.set(held, answer);
      else if (answer?.status === 200) held.state = "out";
    }
    let sides = await this.#sides(actor);
    while (!areSame(sides) && Date.now() < deadline) {
      await sleep(POLL_MS);
      sides = await this.#sides(actor);
    }
    const held: HeldSession[] = [];
    for (const one of own) {
      const { session } = one.session;
      const who = await this.#patiently(deadline, () => session.get(WHOAMI));
      const refused = refreshed.get(one);
      const error = refused?.status === 200 ? undefined : at(refused?.json, "error");
      held.push({
        operation: one.operation,
        device: session.deviceId,
        state: one.state,
        ...(refused === undefined ? {} : { refresh: refused.status }),
        ...(typeof error === "string" ? { error } : {}),
        ...(who === undefined ? {} : { whoami: who.status }),
      });
    }
    const server = cast.serverName(actor.role);
    journal.write({ t: "sessions", epoch, server, user: actor.userId, ...sides, held });
  }

  /** The last answer; undefined: there was none. Asked again while nobody answers, or says that it is not the client's fault. */
  async #patiently(
    deadline: number,
    ask: () => Promise<HttpResponse>,
  ): Promise<HttpResponse | undefined> {
    for (;;) {
      const answer = await unlessSilent(ask());
      if ((answer !== undefined && answer.status < 500) || Date.now() >= deadline) return answer;
      await sleep(POLL_MS);
    }
  }

  async #sides({ session, role }: Actor): Promise<Sides> {
    const { deployment } = this.#context;
    const accounts = deployment.server(role).auth?.service.capabilities.managesAccounts;
    const [answer, sessions] = await Promise.all([
      unlessSilent(session.get(DEVICES)),
      sessionsOf(accounts, session.localpart),
    ]);
    const devices = answer?.status === 200 ? at(answer.json, "devices") : undefined;
    return {
      ...(Array.isArray(devices)
        ? { devices: devices.map((each) => textAt(each, "device_id")).sort() }
        : {}),
      ...(sessions === undefined ? {} : { sessions }),
    };
  }
}

interface Sides {
  readonly devices?: readonly string[];
  readonly sessions?: readonly string[];
}

/** Devices of the sessions that the auth service has; undefined: it does not tell. */
async function sessionsOf(
  accounts: ManagesAccounts | undefined,
  localpart: string,
): Promise<readonly string[] | undefined> {
  try {
    const all = await accounts?.sessions(localpart);
    return all?.flatMap(({ deviceId }) => deviceId ?? []).sort();
  } catch {
    // The admin side of a service that comes back takes its time; what stays away is told as not known.
    return undefined;
  }
}

function areSame({ devices, sessions }: Sides): boolean {
  return devices !== undefined && JSON.stringify(devices) === JSON.stringify(sessions);
}

function toldBy(response: HttpResponse): Pick<Performed, "outcome" | "message"> {
  const error = at(response.json, "error");
  const message = `${response.status}${typeof error === "string" ? ` ${error}` : ""}`;
  return { outcome: response.status >= 500 ? "unknown" : "fail", message };
}

function personOf({ session, role }: Actor) {
  const { userId, localpart, password } = session;
  return { userId, localpart, password, server: { role } };
}

/** The servers of a story as places to sign in. */
class StorySite implements Site {
  readonly #deployment: Deployment;
  readonly #context: SessionContext;

  constructor({ deployment, cast, signal }: SignInContext) {
    this.#deployment = deployment;
    this.#context = {
      ...storyContext(deployment, `${cast.suffix}-people`, signal),
      timeoutScale: PATIENCE,
    };
  }

  name(prefix: string): string {
    return this.#context.nextName(prefix);
  }

  anonymous(role = "hs1"): ServerClient {
    return new ServerClient(this.#info(role), this.#context);
  }

  auth(role = "hs1"): { readonly kind: string } {
    return { kind: this.#deployment.server(role).auth?.service.kind ?? "none" };
  }

  session(
    role: string,
    account: Account,
    device: { accessToken: string; deviceId: string },
  ): Session {
    return new Session(this.#info(role), this.#context, { ...account, ...device });
  }

  #info(role: string): ServerInfo {
    return serverInfo(this.#deployment.server(role));
  }
}
