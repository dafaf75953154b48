/** Steps about whom a client trusts. */
import { z } from "zod";
import { expectThat } from "#harness/world/expect";
import { name, step } from "../step.ts";

const BOOLEANS = ["isVerified", "wasVerified", "isInViolation", "needsApproval"] as const;

export const TRUST = {
  /** One verifies the other; `local-sign` is one-sided. */
  verify: step(
    z.strictObject({
      by: name,
      of: name,
      via: z.enum(["sas-to-device", "sas-room", "qr", "local-sign"]),
      room: name.optional(),
    }),
    async (telling, { by, of, via, room }) => {
      const roomId = room === undefined ? undefined : telling.room(room);
      await telling.device(by).client.verify(telling.device(of).client, via, roomId);
    },
  ),
  /** A verification that is asked for, taken up by the other, and called off. */
  "call-off": step(z.strictObject({ by: name, of: name }), async (telling, { by, of }) => {
    const [one, other] = [telling.device(by).client, telling.device(of).client];
    const flow = await one.verification.request(other.userId, { deviceId: other.deviceId });
    await other.syncOnce();
    const asked = await other.verification.view(one.userId, flow);
    expectThat(asked !== undefined, `${by}'s request for a verification at ${of}`, "none");
    await other.verification.accept(one.userId, flow);
    await one.syncOnce();
    const taken = (await one.verification.view(other.userId, flow))?.phase ?? "unknown";
    expectThat(taken === "ready", `the verification ready for ${by}`, taken);
    await one.verification.cancel(other.userId, flow);
    await other.syncOnce();
    // Libraries forget a flow that was called off.
    const phase = (await other.verification.view(one.userId, flow))?.phase ?? "cancelled";
    expectThat(phase === "cancelled", `the verification cancelled for ${of}`, phase);
  }),
  /** Takes a changed identity for good, or gives up its verification. */
  accept: step(
    z.strictObject({ by: name, of: name, how: z.enum(["pin", "withdraw"]) }),
    async (telling, { by, of, how }) => {
      await telling.device(by).client.accept(telling.device(of).client.userId, how);
    },
  ),
  /** Marks a device, on this client only. */
  trust: step(
    z.strictObject({ by: name, of: name, as: z.enum(["verified", "blacklisted", "unset"]) }),
    async (telling, { by, of, as }) => {
      const { userId, deviceId } = telling.device(of).client;
      await telling.device(by).client.trust(userId, deviceId, as);
    },
  ),
  /** What a client holds of a user's identity, and whether that has signed this device. */
  knows: step(
    z.strictObject({
      by: name,
      of: name,
      is: z.partialRecord(z.enum(BOOLEANS), z.boolean()).default({}),
      signed: z.boolean().optional(),
    }),
    async (telling, { by, of, is, signed }) => {
      const { userId, deviceId } = telling.device(of).client;
      const view = await telling.device(by).client.identityOf(userId);
      for (const [what, wanted] of Object.entries(is)) {
        const seen = view[what as (typeof BOOLEANS)[number]];
        expectThat(seen === wanted, `${what} of ${of} for ${by} to be ${wanted}`, `${seen}`);
      }
      if (signed === undefined) return;
      const device = view.devices.find((each) => each.deviceId === deviceId);
      const isSigned = device?.isSigned ?? "unknown";
      expectThat(isSigned === signed, `${of} signed for ${by}: ${signed}`, `${isSigned}`);
    },
  ),
};
