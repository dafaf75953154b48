/** Barriers of a plan: waits until events are seen on other servers. */
import type { JournalWriter } from "#chaos/journal/write";
import { operationsOf, type Plan } from "#scenarios/plan";
import type { Actor, Cast } from "./cast.ts";
import type { Eyes } from "./eyes.ts";
import type { SyncClient } from "./sync-client.ts";
import type { Traffic } from "./traffic.ts";
import type { Trouble } from "./trouble.ts";

const DELIVERY_MS = 10_000;

export interface Delivery {
  readonly plan: Plan;
  readonly cast: Cast;
  readonly traffic: Traffic;
  readonly trouble: Trouble;
  readonly eyes: Eyes;
  readonly syncs: readonly SyncClient[];
  readonly journal: JournalWriter;
  readonly signal: AbortSignal;
  /** Where events have to come unless it is said: on those of these that can. */
  readonly roles: readonly string[];
}

/**
 * What does not come in time is noted and is no failure.
 *
 * @param of names of operations; absent: all so far
 */
export async function delivered(
  delivery: Delivery,
  of: readonly string[] | undefined,
  servers: readonly string[] | undefined,
): Promise<void> {
  const { cast, trouble, plan } = delivery;
  const wanted = new Set(of ?? cast.events.keys());
  const roles = servers ?? delivery.roles;
  const deadline = Date.now() + DELIVERY_MS;
  for (const operation of operationsOf(plan)) {
    if (!wanted.has(operation.id) || !("room" in operation)) continue;
    const from = cast.actor(operation.by).role;
    const able = roles.filter(
      (role) =>
        servers !== undefined ||
        (trouble.condition(role) === "running" && !trouble.isCut(from, role)),
    );
    for (const event of cast.events.get(operation.id) ?? [])
      await Promise.all(
        able.map((role) => isThere(delivery, operation.room, operation.id, event, role, deadline)),
      );
  }
}

async function isThere(
  delivery: Delivery,
  room: string,
  operation: string,
  event: string,
  role: string,
  deadline: number,
): Promise<void> {
  const { cast, traffic, eyes, journal, signal } = delivery;
  const id = cast.rooms.get(room)?.id ?? "";
  const server = cast.serverName(role);
  // What has come, and can be asked for, is not yet what the server goes by.
  while (!eyes.shown(id, role).has(event)) {
    signal.throwIfAborted();
    if (traffic.isRefused(server, event)) return;
    const joined = joinedOn(delivery, role, id);
    if (joined.length === 0) return;
    if (Date.now() > deadline) {
      const text = `${operation} was not seen on ${role} within ${DELIVERY_MS / 1000} s`;
      journal.write({ t: "note", text, event_id: event });
      return;
    }
    await traffic.next(100);
  }
}

/** Users of a server who are in a room, as they are told. */
function joinedOn({ syncs }: Delivery, role: string, roomId: string): readonly Actor[] {
  return syncs
    .filter((sync) => sync.actor.role === role && sync.view(roomId) !== undefined)
    .map(({ actor }) => actor);
}
