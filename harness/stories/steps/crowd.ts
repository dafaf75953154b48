/** Devices that have keys and no client: nobody reads what they are sent. */
import { keyPair, makeDevice } from "#harness/clients/identities";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

const AT_ONCE = 10;

export async function crowd(world: World, owner: Session, size: number): Promise<void> {
  for (let made = 0; made < size; made += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, size - made) }, () => extra(world, owner));
    await Promise.all(some);
  }
}

/** One more, with a one-time key for one sender. */
async function extra(world: World, owner: Session): Promise<void> {
  const session = await world.login(owner);
  const { keys, sign } = makeDevice(session);
  const { publicKey } = keyPair(session.context.nextName("one-time-key"));
  ok(
    await session.post("/_matrix/client/v3/keys/upload", {
      device_keys: keys,
      one_time_keys: { "signed_curve25519:AAAAAQ": sign({ key: publicKey }) },
    }),
  );
}
