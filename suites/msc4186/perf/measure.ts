/** What is measured: requests as clients send them, and their times and sizes as figures of the report. */
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { type Measurement, median } from "#harness/results/measurement";
import { expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { Sync } from "../sync.ts";

/** Subject of what is shown beside sliding sync. */
export const V3 = "/v3/sync";

/** Rooms that a client shows at once. */
export const WINDOW = 20;

/** What it takes for a thousand rooms on a busy machine, and more. */
const OLD_PATIENCE_MS = 120_000;

/** From which factor on times depend on the size of the account. */
const MAX_GROWTH = 3;
/** The fewest rooms of a large account, as far as verdicts are concerned. */
const LARGE = 200;

export function subjectOf({ dialect }: Sync): string {
  return `sliding sync (${dialect.name})`;
}

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
  { since, timeoutMs = 0 }: { since?: string; timeoutMs?: number } = {},
): Promise<HttpResponse> {
  const room = { state: { lazy_load_members: true }, timeline: { limit: 1 } };
  const filter = { room, presence: { not_types: [`org.example.${salt}`] } };
  const response = await session.request("GET", "/_matrix/client/v3/sync", {
    query: { since, timeout: timeoutMs, filter: JSON.stringify(filter) },
    timeoutMs: OLD_PATIENCE_MS * session.context.timeoutScale,
  });
  ok(response);
  return response;
}

/** Runs something so often, one after the other. */
export async function repeat<T>(count: number, body: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < count; index++) results.push(await body(index));
  return results;
}

export type Series = Pick<Measurement, "name" | "subject" | "rooms">;

/** Reports how long answers took and how large they were; returns the median time. */
export function report(world: World, series: Series, responses: readonly HttpResponse[]): number {
  const times = responses.map(({ durationMs }) => durationMs);
  world.measured({ ...series, unit: "ms", values: times });
  world.measured({ ...series, unit: "bytes", values: responses.map(({ bytes }) => bytes.length) });
  return median(times);
}

/** Requests one after the other: their times and sizes, and the server's CPU time for one. Returns the answers. */
export async function sample(
  world: World,
  series: Series,
  count: number,
  body: (index: number) => Promise<HttpResponse>,
): Promise<readonly HttpResponse[]> {
  const before = await world.cpuMs();
  const responses = await repeat(count, body);
  const after = await world.cpuMs();
  report(world, series, responses);
  if (before !== undefined && after !== undefined) {
    const name = `M6 CPU of ${series.name}`;
    world.measured({ ...series, name, unit: "ms", values: [(after - before) / count] });
  }
  return responses;
}

/** Begins the id of connections by which mutants know the largest account. */
export function sizeName({ accountSizes }: World, rooms: number): "largest" | "smaller" {
  return rooms === accountSizes.at(-1) ? "largest" : "smaller";
}

/** Whether the accounts differ enough for a verdict. */
export function canJudge({ accountSizes }: World): boolean {
  const [smallest = 0, largest = 0] = [accountSizes[0], accountSizes.at(-1)];
  return smallest * MAX_GROWTH <= largest && largest >= LARGE;
}

/** The end of a check that measured. @throws Unsupported when there can be no verdict. */
export function endWithoutVerdict(world: World): void {
  if (!canJudge(world))
    throw new Unsupported("perf", `no verdict without accounts of ${WINDOW} and ${LARGE} rooms`);
}

/** @param medians by size of the account; with accounts that allow no verdict nothing is expected */
export function expectNoGrowth(world: World, medians: ReadonlyMap<number, number>): void {
  if (!canJudge(world)) return;
  const [smallest = 0, largest = 0] = [world.accountSizes[0], world.accountSizes.at(-1)];
  const [base = Number.NaN, grown = Number.NaN] = [medians.get(smallest), medians.get(largest)];
  expectAlike(base, `an account of ${smallest} rooms`, grown, `one of ${largest} rooms`);
}

/** Of two times, that the second is not many times the first. */
export function expectAlike(base: number, baseOf: string, grown: number, grownOf: string): void {
  expectThat(
    grown <= MAX_GROWTH * base,
    `at most ${MAX_GROWTH} times the ${base.toFixed(1)} ms of ${baseOf}`,
    `${grown.toFixed(1)} ms for ${grownOf}`,
  );
}
