/** Who and what the names of a plan stand for on the servers that it is told to. */

import type { Deployment } from "#harness/deployment/deployment";
import { HarnessError } from "#harness/errors";
import { createClient, type HttpClient } from "#harness/http/client";
import { textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import { serverInfo } from "#harness/world/run-info";
import { Session } from "#harness/world/session";
import type { Plan } from "#scenarios/plan";

/** A user of the plan: a device, and the application service's client, which can act as the user at another time. */
export interface Actor {
  readonly name: string;
  /** `hs1`, … */
  readonly role: string;
  readonly userId: string;
  readonly session: Session;
  readonly appservice: HttpClient;
  /** A further device. */
  readonly logIn: () => Promise<Session>;
}

export interface CastRoom {
  readonly id: string;
  readonly version: string;
}

const REQUEST_TIMEOUT_MS = 20_000;

export class Cast {
  readonly plan: Plan;
  readonly actors: ReadonlyMap<string, Actor>;
  readonly rooms = new Map<string, CastRoom>();
  /** Server names by role. */
  readonly servers: Readonly<Record<string, string>>;
  /** Ids of the events that came of an operation, by its name. */
  readonly events = new Map<string, readonly string[]>();
  /** Part of every name that is unique on a server: stories that share servers share nothing else. */
  readonly suffix: string;

  private constructor(
    plan: Plan,
    suffix: string,
    servers: Readonly<Record<string, string>>,
    actors: readonly Actor[],
  ) {
    this.plan = plan;
    this.suffix = suffix;
    this.servers = servers;
    this.actors = new Map(actors.map((actor) => [actor.name, actor]));
  }

  /**
   * Makes the plan's users.
   *
   * @throws HarnessError BAD_CONFIG when a server lets the application service make none
   */
  static async make(
    plan: Plan,
    deployment: Deployment,
    { suffix, signal }: { suffix: string; signal: AbortSignal },
  ): Promise<Cast> {
    const servers = Object.fromEntries(
      [...deployment.servers].map(([role, { server }]) => [role, server.serverName]),
    );
    let count = 0;
    const context = {
      check: `chaos-${suffix}`,
      signal,
      timeoutScale: 1,
      onExchange: () => undefined,
      onRoom: () => undefined,
      nextName: (prefix: string) => `${prefix}-${suffix}-${++count}`,
    };
    const actors = Object.entries(plan.users).map(async ([name, role]): Promise<Actor> => {
      const info = serverInfo(deployment.server(role));
      const { asToken, prefix } = deployment.appservice;
      const appservice = createClient({
        baseUrl: info.clientUrl,
        accessToken: asToken,
        check: context.check,
        signal,
        timeoutMs: REQUEST_TIMEOUT_MS,
      });
      const localpart = `${prefix}${suffix}_${name}`;
      const { status, json, text } = await appservice.request(
        "POST",
        "/_matrix/client/v3/register",
        { body: { type: "m.login.application_service", username: localpart } },
      );
      if (status !== 200) {
        throw new HarnessError("BAD_CONFIG", {
          what: `${role} lets the run's application service make no user: ${status}`,
          facts: [text.slice(0, 200)],
          next: "chaos needs servers that take the application service's registration",
        });
      }
      const account = { userId: textAt(json, "user_id"), localpart, password: "" };
      const deviceOf = (answer: unknown) =>
        new Session(info, context, {
          ...account,
          serviceToken: asToken,
          accessToken: textAt(answer, "access_token"),
          deviceId: textAt(answer, "device_id"),
        });
      const logIn = async () => {
        const body = {
          type: "m.login.application_service",
          identifier: { type: "m.id.user", user: localpart },
        };
        return deviceOf(ok(await appservice.request("POST", "/_matrix/client/v3/login", { body })));
      };
      return { name, role, userId: account.userId, session: deviceOf(json), appservice, logIn };
    });
    return new Cast(plan, suffix, servers, await Promise.all(actors));
  }

  /** @throws HarnessError INTERNAL for a name that the plan does not have: it was read with care */
  actor(name: string): Actor {
    const actor = this.actors.get(name);
    if (actor === undefined) throw new HarnessError("INTERNAL", { what: `nobody is ${name}` });
    return actor;
  }

  on(role: string): readonly Actor[] {
    return [...this.actors.values()].filter((actor) => actor.role === role);
  }

  serverName(role: string): string {
    return this.servers[role] ?? role;
  }

  /** The role of a server name. */
  roleOf(serverName: string): string | undefined {
    return Object.entries(this.servers).find(([, name]) => name === serverName)?.[0];
  }

  /** The plan's name of a room. */
  roomName(id: string): string | undefined {
    return [...this.rooms].find(([, room]) => room.id === id)?.[0];
  }

  /** `#alias:server`, on the server of this role. */
  alias(name: string, role: string): string {
    return `#chaos_${this.suffix}_${name}:${this.serverName(role)}`;
  }

  /** Servers to ask about a room, the creator's first. */
  via(room: string): readonly string[] {
    const creator = this.plan.rooms[room]?.creator;
    const home = creator === undefined ? undefined : this.plan.users[creator];
    const roles = Object.keys(this.servers);
    return [...(home === undefined ? [] : [home]), ...roles.filter((role) => role !== home)].map(
      (role) => this.serverName(role),
    );
  }
}
