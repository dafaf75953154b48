/** Events of rooms as the engine decrypts them, with the shield that Element's clients show. */
import {
  DecryptionErrorCode,
  MegolmDecryptionError,
  RoomId,
  ShieldColor,
  ShieldStateCode,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import type { JsonObject } from "#harness/match/json";
import type { ReadResult, Unreadable } from "../crypto-client.ts";
import { sessionPlace } from "../session-place.ts";
import type { Engine } from "./engine.ts";

const COLOURS = {
  [ShieldColor.Red]: "red",
  [ShieldColor.Grey]: "grey",
  [ShieldColor.None]: "none",
} as const;

export async function decrypted(
  engine: Engine,
  roomId: string,
  event: JsonObject,
): Promise<ReadResult> {
  using settings = engine.decryption();
  try {
    const text = JSON.stringify(event);
    using result = await engine.machine.decryptRoomEvent(text, new RoomId(roomId), settings);
    const { type, content } = JSON.parse(result.event) as JsonObject;
    // The lax one.
    const { color, code } = result.shieldState(false);
    const forwarder = result.forwarder?.toString();
    return {
      isReadable: true,
      type: String(type),
      content: content as JsonObject,
      shield: {
        color: COLOURS[color],
        ...(code === undefined ? {} : { code: ShieldStateCode[code] ?? String(code) }),
      },
      ...(forwarder === undefined ? {} : { forwarder }),
    };
  } catch (error) {
    if (!(error instanceof MegolmDecryptionError)) throw error;
    return unreadable(error, event);
  }
}

export function unreadable(error: MegolmDecryptionError, event: JsonObject): Unreadable {
  const { code, description, withheldCode } = error;
  return {
    isReadable: false,
    code: DecryptionErrorCode[code] ?? String(code),
    text: description,
    ...(withheldCode === undefined ? {} : { withheld: withheldCode }),
    ...sessionPlace(event.content),
  };
}
