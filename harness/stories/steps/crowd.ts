/** Devices that have keys and no client: nobody reads what they are sent. */
import { createHash, randomBytes } from "node:crypto";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { publicKeyOf, signJson } from "#protocol/events/signatures";

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
  const { userId, deviceId } = session;
  const secret = createHash("sha256").update(randomBytes(32)).digest();
  const keyId = `ed25519:${deviceId}`;
  const signed = (object: object) => signJson({ ...object }, userId, keyId, secret);
  const curve25519 = () => randomBytes(32).toString("base64").replace(/=+$/, "");
  const deviceKeys = signed({
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    keys: { [keyId]: publicKeyOf(secret), [`curve25519:${deviceId}`]: curve25519() },
  });
  ok(
    await session.post("/_matrix/client/v3/keys/upload", {
      device_keys: deviceKeys,
      one_time_keys: { "signed_curve25519:AAAAAQ": signed({ key: curve25519() }) },
    }),
  );
}
