/** Makes faults act that had nothing to act on: something goes over each of their links. */
import { setTimeout as sleep } from "node:timers/promises";
import { path } from "#harness/http/client";
import type { FaultStep } from "#scenarios/plan";
import type { Actor, Cast } from "./cast.ts";
import { unlessSilent } from "./silence.ts";
import type { Trouble } from "./trouble.ts";

/** A server that waits after a failure has begun anew by then. */
const TRIES = 4;
const PAUSE_MS = 500;
const REQUEST_MS = 2_000;

/**
 * Sends to-device messages, which need no room, over the links of faults that have not acted yet; where requests are to be
 * reordered, with a query beside it, as a server sends one transaction at a time.
 */
export async function provoke(trouble: Trouble, cast: Cast): Promise<void> {
  for (let attempt = 1; attempt <= TRIES && trouble.idle.length > 0; attempt++) {
    const linksOf = (steps: readonly FaultStep[]) => [
      ...new Set(steps.flatMap((step) => step.links)),
    ];
    const reordered = trouble.idle.filter((step) => step.fault === "reorder");
    await Promise.all([
      ...linksOf(trouble.idle).map((link) => say(link, attempt, cast)),
      ...linksOf(reordered).map((link) => ask(link, cast)),
    ]);
    for (let wait = 0; wait < PAUSE_MS && trouble.idle.length > 0; wait += 50) await sleep(50);
  }
}

async function say(link: string, attempt: number, cast: Cast): Promise<void> {
  const [sender, target] = endsOf(link, cast);
  if (sender === undefined || target === undefined) return;
  const txn = `${cast.suffix}-probe-${sender.role}-${target.role}-${Date.now()}-${attempt}`;
  const body = { messages: { [target.userId]: { [target.session.deviceId]: { probe: txn } } } };
  const url = path`/_matrix/client/v3/sendToDevice/m.crucible.probe/${txn}`;
  await unlessSilent(sender.session.request("PUT", url, { body, timeoutMs: REQUEST_MS }));
}

/** One server asks the other for the profile of a user, which none keeps of others. */
async function ask(link: string, cast: Cast): Promise<void> {
  const [sender, target] = endsOf(link, cast);
  if (sender === undefined || target === undefined) return;
  const url = path`/_matrix/client/v3/profile/${target.userId}`;
  await unlessSilent(sender.session.request("GET", url, { timeoutMs: REQUEST_MS }));
}

function endsOf(link: string, cast: Cast): readonly (Actor | undefined)[] {
  return link.split(">").map((role) => cast.on(role)[0]);
}
