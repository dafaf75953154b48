/** M3, M4 and M6: growing a list to all rooms, and what requests cost when nothing is new. */
import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { median } from "#harness/results/measurement";
import type { Sync } from "../sync.ts";
import type { BigAccount } from "./accounts.ts";
import { roomList, sample, subjectOf, WINDOW } from "./measure.ts";

const STEP = 100;
/** The whole list of a large account, and more than the rooms of a small one. */
const WHOLE = 1_019;
const IDLE_SAMPLES = 20;
const LONG_MS = 8_000;
/** Requests at the beginning and at the end of a long connection that are compared. */
const ENDS = 20;

/** Grows a list step by step until it has all rooms; returns the connection. */
export async function wholeList(sync: Sync, account: BigAccount): Promise<SlidingConnection> {
  const { reader, roomIds } = account;
  const connection = sync.connection(reader, "whole");
  const answers = [(await connection.initial(roomList(WINDOW))).http];
  for (let covered = WINDOW; covered < roomIds.length; ) {
    covered = covered < STEP ? STEP : covered + STEP;
    answers.push((await connection.sync(roomList(covered))).http);
  }
  const series = {
    name: "M3 whole list",
    subject: subjectOf(sync),
    rooms: roomIds.length,
  };
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const totals = {
    ms: sum(answers.map(({ durationMs }) => durationMs)),
    bytes: sum(answers.map(({ bytes }) => bytes.length)),
    requests: answers.length,
  };
  for (const unit of ["ms", "bytes", "requests"] as const)
    sync.world.measured({ ...series, unit, values: [totals[unit]] });
  return connection;
}

/** Answers to requests for the whole list when nothing is new; returns the median of their sizes. */
export async function idle(
  sync: Sync,
  connection: SlidingConnection,
  { roomIds }: BigAccount,
): Promise<number> {
  const request = roomList(WHOLE);
  await connection.drain(request);
  const series = { name: "M4 idle, whole list", subject: subjectOf(sync), rooms: roomIds.length };
  const answers = await sample(
    sync.world,
    series,
    IDLE_SAMPLES,
    async () => (await connection.sync(request)).http,
  );
  return median(answers.map(({ bytes }) => bytes.length));
}

/** Whether requests become slower the longer a connection lasts. */
export async function longConnection(
  sync: Sync,
  connection: SlidingConnection,
  { reader, roomIds }: BigAccount,
): Promise<void> {
  const request = roomList(WHOLE);
  const [roomId = ""] = roomIds;
  const times: number[] = [];
  const end = Date.now() + LONG_MS;
  while (Date.now() < end || times.length < 2 * ENDS) {
    // Positions that differ in nothing may cost nothing.
    if (times.length % ENDS === 0) await reader.send(roomId, "again");
    times.push((await connection.sync(request)).http.durationMs);
  }
  const series = { subject: subjectOf(sync), rooms: roomIds.length };
  const name = "M6 long connection";
  const { world } = sync;
  world.measured({ ...series, name, unit: "requests", values: [times.length] });
  const ends = { start: times.slice(0, ENDS), end: times.slice(-ENDS) };
  for (const [where, values] of Object.entries(ends))
    world.measured({ ...series, name: `${name}, ${where}`, unit: "ms", values });
}
