/** Steps by which keys outlive a device: backup, recovery, shared history, dehydrated devices. */
import { z } from "zod";
import type { Secret } from "#harness/clients/crypto/crypto-client";
import { expectThat } from "#harness/world/expect";
import { name, room, step } from "../step.ts";

export const SECRETS = {
  /** A new version of the backup, with a key that this client keeps. */
  "backup-create": step(name, async (telling, by) => {
    await telling.device(by).client.backup.create();
  }),
  /** All that is not in it yet. */
  "backup-upload": step(name, async (telling, by) => {
    await telling.device(by).client.backup.upload();
  }),
  /** `keys`: how many have to come. */
  "backup-restore": step(
    z.strictObject({ by: name, keys: z.number().int().optional() }),
    async (telling, { by, keys }) => {
      const restored = await telling.device(by).client.backup.restore();
      const isRight = keys === undefined || restored === keys;
      expectThat(isRight, `${keys} keys of the backup for ${by}`, `${restored}`);
    },
  ),
  /** Puts its secrets into the account, under a recovery key of this name. */
  "recovery-create": step(z.strictObject({ by: name, as: name }), async (telling, { by, as }) => {
    telling.values.set(`secret ${as}`, await telling.device(by).client.recovery.create());
  }),
  "recovery-use": step(z.strictObject({ by: name, key: name }), async (telling, { by, key }) => {
    await telling.device(by).client.recovery.use(telling.kept<Secret>("secret", key));
  }),
  /** A bundle of the room's keys, for somebody who is to be invited (MSC4268). */
  "history-share": step(z.strictObject({ by: name, to: name, room }), async (telling, given) => {
    const { userId } = telling.device(given.to).client;
    await telling.device(given.by).client.history.share(telling.room(given.room), userId);
  }),
  "history-accept": step(
    z.strictObject({ by: name, from: name, room, came: z.boolean().default(true) }),
    async (telling, { by, from, room, came }) => {
      const { userId } = telling.device(from).client;
      const has = await telling.device(by).client.history.accept(telling.room(room), userId);
      expectThat(has === came, `a bundle of ${from} for ${by}: ${came}`, `${has}`);
    },
  ),
  dehydrate: step(z.strictObject({ by: name, as: name }), async (telling, { by, as }) => {
    const { key } = await telling.device(by).client.dehydration.create();
    telling.values.set(`secret ${as}`, key);
  }),
  rehydrate: step(z.strictObject({ by: name, key: name }), async (telling, { by, key }) => {
    await telling.device(by).client.dehydration.rehydrate(telling.kept<Secret>("secret", key));
  }),
};
