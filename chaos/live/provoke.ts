/** Makes faults act that had nothing to act on: something goes over each of their links. */
import { setTimeout as sleep } from "node:timers/promises";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import type { Cast } from "./cast.ts";
import type { Trouble } from "./trouble.ts";

/** A server that waits after a failure has begun anew by then. */
const TRIES = 4;
const PAUSE_MS = 500;
const REQUEST_MS = 2_000;

/** Sends to-device messages, which need no room, over the links of faults that have not acted yet. */
export async function provoke(trouble: Trouble, cast: Cast): Promise<void> {
  for (let attempt = 1; attempt <= TRIES && trouble.idle.length > 0; attempt++) {
    const links = new Set(trouble.idle.flatMap((step) => step.links));
    await Promise.all([...links].map((link) => say(link, attempt, cast)));
    for (let wait = 0; wait < PAUSE_MS && trouble.idle.length > 0; wait += 50) await sleep(50);
  }
}

async function say(link: string, attempt: number, cast: Cast): Promise<void> {
  const [from = "", to = ""] = link.split(">");
  const [sender] = cast.on(from);
  const [target] = cast.on(to);
  if (sender === undefined || target === undefined) return;
  const txn = `${cast.suffix}-probe-${from}-${to}-${Date.now()}-${attempt}`;
  const body = { messages: { [target.userId]: { [target.session.deviceId]: { probe: txn } } } };
  const url = path`/_matrix/client/v3/sendToDevice/m.crucible.probe/${txn}`;
  try {
    await sender.session.request("PUT", url, { body, timeoutMs: REQUEST_MS });
  } catch (error) {
    if (error instanceof HarnessError && error.code !== "HS_NO_ANSWER") throw error;
  }
}
