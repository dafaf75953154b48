/** What the content of a to-device event tells in clear. */
import { digest } from "#harness/clients/crypto/parcel";
import { isObject } from "#harness/match/json";
import type { SeenParcel, Withheld } from "./facts.ts";
import { oneTimeKeyIn } from "./prekey.ts";
import { entries, text } from "./view.ts";

export function parcelsOf(sender: string, content: unknown): readonly SeenParcel[] {
  return entries(isObject(content) ? content.ciphertext : undefined).flatMap(
    ([curve25519, message]) => {
      const body = isObject(message) ? text(message.body) : undefined;
      if (body === undefined) return [];
      const isPreKey = isObject(message) && message.type === 0;
      const oneTimeKey = isPreKey ? oneTimeKeyIn(body) : undefined;
      return [{ id: digest(body), sender, isPreKey, oneTimeKey, curve25519 }];
    },
  );
}

/** Specification §m.room_key.withheld, and its name from before. */
const WITHHELD: readonly string[] = ["m.room_key.withheld", "org.matrix.room_key.withheld"];

export function withheldIn(type: string, content: unknown): Withheld | undefined {
  if (!WITHHELD.includes(type) || !isObject(content)) return undefined;
  const { room_id, session_id, code } = content;
  return { room: text(room_id), session: text(session_id), code: text(code) ?? "" };
}
