/** M2 and M5: what a client waits for when something has changed, or changes while it waits. */
import { at, isObject, textAt } from "#harness/match/json";
import type { World } from "#harness/world/world";
import type { Sync } from "../sync.ts";
import { type BigAccount, inParallel } from "./accounts.ts";
import { oldSync, repeat, report, roomList, sizeName, subjectOf, V3, WINDOW } from "./measure.ts";

const WAKES = 15;
const WAKE_PATIENCE_MS = 10_000;
/** A request is with the server after this time, and waits there. */
const HELD_MS = 100;

/** Samples of a launch; fewer when each of them takes many messages. */
const MESSAGES = 60;
const MAX_SAMPLES = 5;

let salt = 0;

/** Times of a client that is started again, after messages in so many rooms. Returns the median of sliding sync. */
export async function launchWarm(
  sync: Sync,
  { reader, roomIds }: BigAccount,
  changed: number,
): Promise<number> {
  const { world } = sync;
  const request = roomList(WINDOW);
  const connection = sync.connection(reader, `${sizeName(world, roomIds.length)}-${changed}`);
  await connection.initial(request);
  const samples = Math.max(1, Math.min(MAX_SAMPLES, Math.floor(MESSAGES / changed)));
  const pairs = await repeat(samples, async (index) => {
    await connection.drain(request);
    const since = await reader.syncToken();
    const start = (index * changed) % roomIds.length;
    const others = [...roomIds.slice(start), ...roomIds].slice(0, changed);
    await inParallel(others, (roomId) => reader.send(roomId, "news"));
    const sliding = (await connection.sync(request)).http;
    return { sliding, old: await oldSync(reader, ++salt, { since }) };
  });
  const share = changed === roomIds.length ? "all" : changed;
  const series = { name: `M2 launch, ${share} changed`, rooms: roomIds.length };
  report(
    world,
    { ...series, subject: V3 },
    pairs.map(({ old }) => old),
  );
  return report(
    world,
    { ...series, subject: subjectOf(sync) },
    pairs.map(({ sliding }) => sliding),
  );
}

/** From the sending of a message until a request that waited for it has its answer. */
export async function wake(sync: Sync, { reader, roomIds }: BigAccount): Promise<void> {
  const { world } = sync;
  const [roomId = ""] = roomIds;
  const request = roomList(WINDOW);
  const connection = sync.connection(reader, "wake");
  await connection.initial(request);
  await connection.drain(request);
  const sliding = await repeat(WAKES, async () => {
    const { answer } = connection.start(request, { timeoutMs: WAKE_PATIENCE_MS });
    return await untilWoken(world, reader.send.bind(reader, roomId, "wake"), async () => {
      const http = await answer;
      return http !== undefined && connection.process(request, http).rooms[roomId] !== undefined;
    });
  });
  let since = await reader.syncToken();
  const old = await repeat(WAKES, async () => {
    const answer = oldSync(reader, 0, { since, timeoutMs: WAKE_PATIENCE_MS });
    return await untilWoken(world, reader.send.bind(reader, roomId, "wake"), async () => {
      const { json } = await answer;
      since = textAt(json, "next_batch");
      return isObject(at(json, "rooms", "join", roomId));
    });
  });
  const series = { name: "M5 wake by a message", rooms: roomIds.length, unit: "ms" as const };
  for (const [subject, values] of [[subjectOf(sync), sliding] as const, [V3, old] as const])
    world.measured({ ...series, subject, values: values.flatMap((value) => value ?? []) });
}

/** Undefined when it was something else that ended the wait. */
async function untilWoken(
  world: World,
  send: () => Promise<string>,
  isWoken: () => Promise<boolean>,
): Promise<number | undefined> {
  await world.quietPeriod(HELD_MS);
  const started = performance.now();
  let ended = started;
  const [, hasCome] = await Promise.all([
    send(),
    isWoken().then((is) => {
      ended = performance.now();
      return is;
    }),
  ]);
  return hasCome ? ended - started : undefined;
}
