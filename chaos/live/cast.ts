/** Who and what the names of a plan stand for on the servers that it is told to. */

import type { Deployment } from "#harness/deployment/deployment";
import { HarnessError } from "#harness/errors";
import type { Plan } from "#scenarios/plan";
import { type Actor, makeActor, storyContext } from "./actors.ts";

export type { Actor } from "./actors.ts";

export interface CastRoom {
  readonly id: string;
  readonly version: string;
}

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
   * @throws HarnessError BAD_USAGE when the plan has auth services and the servers none, BAD_CONFIG when a server lets
   *   nobody make users
   */
  static async make(
    plan: Plan,
    deployment: Deployment,
    { suffix, signal }: { suffix: string; signal: AbortSignal },
  ): Promise<Cast> {
    if (plan.auth === true && [...deployment.servers.values()].some(({ auth }) => !auth)) {
      throw new HarnessError("BAD_USAGE", {
        what: `the plan ${plan.id} has auth services, and these servers have none`,
        next: "add --auth oidc or --mas <spec>",
      });
    }
    const servers = Object.fromEntries(
      [...deployment.servers].map(([role, { server }]) => [role, server.serverName]),
    );
    const context = storyContext(deployment, suffix, signal);
    const actors = Object.entries(plan.users).map(([name, role]) =>
      makeActor(deployment, context, { name, role, suffix }),
    );
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
