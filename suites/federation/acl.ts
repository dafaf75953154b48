/** What checks of server access control lists share. */
import type { Meeting } from "#harness/peer/meeting";
import { hostOf } from "./handshake.ts";

/** Denies the peer of a meeting access to the room. */
export async function deny({ alice, peer, room }: Meeting): Promise<void> {
  const content = { allow: ["*"], deny: [hostOf(peer)], allow_ip_literals: true };
  await alice.setState(room.roomId, "m.room.server_acl", content);
}

/** Takes that back. */
export async function allow({ alice, room }: Meeting): Promise<void> {
  const content = { allow: ["*"], deny: [], allow_ip_literals: true };
  await alice.setState(room.roomId, "m.room.server_acl", content);
}
