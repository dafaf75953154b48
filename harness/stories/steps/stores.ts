/** Steps that kill clients, start them again, and put their stores back to what they were. */
import { z } from "zod";
import type { StoreSnapshot } from "#harness/clients/crypto/store/client-store";
import { HarnessError } from "#harness/errors";
import { fail } from "#harness/world/expect";
import { name, step } from "../step.ts";

export const STORES = {
  /** The client's process dies at once. */
  kill: step(name, (telling, who) => telling.device(who).client.stop("sigkill")),
  /** A client that was killed comes back with the store that it has left. */
  start: step(name, (telling, who) => telling.device(who).client.start()),
  /** Its process dies within a sync: the answer has come, is in the engine, or is on disk and not acknowledged. */
  "dies-in-sync": step(
    z.strictObject({
      who: name,
      at: z.enum(["got", "took", "persisted"]),
      /** A client that is wrong: it acknowledges what it has not taken in (element-meta#762). */
      "acknowledges-early": z.boolean().default(false),
    }),
    async (telling, { who, at, "acknowledges-early": acknowledgesEarly }) => {
      const { client } = telling.device(who);
      try {
        await client.syncOnce(0, { diesAt: at, acknowledgesEarly });
      } catch (error) {
        // A sync that was refused, or got no answer, has killed nobody.
        if (!(error instanceof HarnessError) || error.code !== "INTERRUPTED") throw error;
        await client.stop("sigkill");
        return;
      }
      fail(`the client of ${who} to die`, "its sync ended");
    },
  ),
  snapshot: step(z.strictObject({ of: name, as: name }), async (telling, { of, as }) => {
    telling.values.set(`snapshot ${as}`, await telling.device(of).client.snapshot());
  }),
  /** Killed, put back to a snapshot, and started. */
  rollback: step(z.strictObject({ of: name, to: name }), async (telling, { of, to }) => {
    await telling.device(of).client.restore(telling.kept<StoreSnapshot>("snapshot", to));
  }),
};
