/** Steps with which a client takes in what its server has for it. */
import { z } from "zod";
import { expectThat } from "#harness/world/expect";
import { name, names, step } from "../step.ts";
import type { Telling } from "../telling.ts";

const SETTLE_MS = 15_000;
const LONG_POLL_MS = 250;

export const SYNCING = {
  /** One sync each, and what it leads to. */
  sync: step(names, async (telling, who) => {
    await Promise.all(who.map((each) => syncOnce(telling, each)));
  }),
  /** Syncs until two in a row have brought nothing. */
  settle: step(names, async (telling, who) => {
    await Promise.all(who.map((each) => settle(telling, each)));
  }),
  /** Syncs until so many to-device events have come since the login or the last question. */
  receives: step(
    z.strictObject({ who: name, events: z.number().int() }),
    async (telling, given) => {
      const device = telling.device(given.who);
      await telling.world.eventually(async () => {
        if (device.toDevice < given.events) await syncOnce(telling, given.who, LONG_POLL_MS);
        expectThat(
          device.toDevice >= given.events,
          `${given.events} to-device events for ${given.who}`,
          `${device.toDevice}`,
        );
      });
      device.toDevice = 0;
    },
  ),
  /** How many to-device events could not be decrypted since the login or the last question. */
  undecryptable: step(
    z.strictObject({ who: name, is: z.number().int() }),
    async (telling, given) => {
      const device = telling.device(given.who);
      const { undecryptable } = device;
      device.undecryptable = 0;
      expectThat(
        undecryptable === given.is,
        `${given.is} to-device events that ${given.who} can not decrypt`,
        `${undecryptable}`,
      );
    },
  ),
};

export async function syncOnce(telling: Telling, who: string, timeoutMs = 0): Promise<boolean> {
  const device = telling.device(who);
  const report = await device.client.syncOnce(timeoutMs);
  device.undecryptable += report.undecryptable;
  device.toDevice += report.toDevice;
  return report.toDevice > 0 || report.changed.length > 0;
}

async function settle(telling: Telling, who: string): Promise<void> {
  let quiet = 0;
  await telling.world.eventually(
    async () => {
      const hasNews = await syncOnce(telling, who, LONG_POLL_MS);
      quiet = hasNews ? 0 : quiet + 1;
      expectThat(quiet >= 2, `${who} to come to rest`, "news in every sync");
    },
    { deadlineMs: SETTLE_MS },
  );
}
