/** What is measured: requests as clients send them, and their times and sizes as figures of the report. */
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { HttpResponse } from "#harness/http/client";
import type { Measurement } from "#harness/results/measurement";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const V3 = "/v3/sync";

/** The first rooms of a room list, with the state by which a client shows them. */
export function roomList(rooms: number): SlidingRequest {
  const types = ["create", "name", "avatar", "encryption", "canonical_alias", "tombstone"];
  const include = types.map((type) => ({ type: `m.room.${type}`, stateKey: "" }));
  const requiredState = { include, lazyMembers: true };
  return { lists: { all: { range: [0, rooms - 1], timelineLimit: 1, requiredState } } };
}

/** GET /sync as a client with lazy members sends it. @param salt an answer that the server has kept is not given again */
export async function oldSync(
  session: Session,
  salt: number,
  since?: string,
): Promise<HttpResponse> {
  const room = { state: { lazy_load_members: true }, timeline: { limit: 1 } };
  const filter = { room, presence: { not_types: [`org.example.${salt}`] } };
  const response = await session.syncResponse({ since, filter });
  ok(response);
  return response;
}

/** Runs something so often, one after the other. */
export async function repeat<T>(count: number, body: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < count; index++) results.push(await body(index));
  return results;
}

/** Reports how long answers took and how large they were; returns the times. */
export function report(
  world: World,
  series: Pick<Measurement, "name" | "subject" | "rooms">,
  responses: readonly HttpResponse[],
): readonly number[] {
  const times = responses.map(({ durationMs }) => durationMs);
  world.measured({ ...series, unit: "ms", values: times });
  world.measured({ ...series, unit: "bytes", values: responses.map(({ bytes }) => bytes.length) });
  return times;
}
