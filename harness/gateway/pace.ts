/** How long delays last, and slow bodies. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "#harness/random";
import type { RuleAction } from "./rule.ts";

/** Milliseconds. */
export function delayOf(
  { ms, jitterMs = 0 }: Extract<RuleAction, { kind: "delay" }>,
  random: Random,
): number {
  return ms + random.next() * jitterMs;
}

/** How often a slow body makes progress, milliseconds. */
const BEAT_MS = 50;

/** A body in small pieces, so that about so many bytes a second pass. The first comes at once; infinity: all of it. */
export async function* paced(
  body: Buffer,
  bytesPerSecond: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (bytesPerSecond === Number.POSITIVE_INFINITY) {
    yield body;
    return;
  }
  const size = Math.max(1, Math.round((bytesPerSecond * BEAT_MS) / 1000));
  const beatMs = (size / bytesPerSecond) * 1000;
  for (let sent = 0; sent < body.length; sent += size) {
    if (sent > 0) await sleep(beatMs, undefined, { signal });
    yield body.subarray(sent, sent + size);
  }
}
