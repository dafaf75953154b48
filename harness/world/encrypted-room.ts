import type { Session } from "./session.ts";

/** What a room is made with so that its messages are encrypted, and anybody may join. */
export const ENCRYPTED = {
  preset: "public_chat",
  initial_state: [
    { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
  ],
} as const;

/** A new encrypted room with these in it. */
export async function encryptedRoom(
  founder: Session,
  ...others: readonly Session[]
): Promise<string> {
  const roomId = await founder.createRoom(ENCRYPTED);
  for (const other of others) await other.join(roomId);
  return roomId;
}
