/**
 * Keys of participants, by messages to the native library. Its typed calls do not work in 1.1.0: `KeyProvider.setKey` has no parameter
 * for the key, and `FrameCryptor.setKeyIndex` leaves out the track.
 */
import type { Room } from "@livekit/rtc-node";
import { HarnessError } from "#harness/errors";
import { isObject } from "#harness/match/json";
import { ENCRYPTION_STATES, type EncryptionState, type KeyParameters } from "./report.ts";
import type { Ffi, FfiEvent } from "./rtc-node.ts";

/** MSC4195 §End-to-end encryption. The tolerance is ours: at its default failures are not told. */
const SALT = "LKFrameEncryptionKey";
const RING = 256;
const DERIVATIONS = { pbkdf2: 0, hkdf: 1 } as const;
const GCM = 1;

export function encryptionOptions({ derivation = "hkdf", salt = SALT }: KeyParameters) {
  return {
    encryptionType: GCM,
    keyProviderOptions: {
      keyDerivationFunction: DERIVATIONS[derivation],
      keyRingSize: RING,
      ratchetWindowSize: 0,
      ratchetSalt: new TextEncoder().encode(salt),
      failureTolerance: 0,
    },
  };
}

export class Encryption {
  readonly #ffi: Ffi;
  readonly #room: Room;

  constructor(ffi: Ffi, room: Room) {
    this.#ffi = ffi;
    this.#room = room;
  }

  setKey(participantIdentity: string, keyIndex: number, key: Uint8Array): void {
    this.#request("setKey", { participantIdentity, keyIndex, key });
  }

  /** What the participant sends is encrypted with this key of its own from now on. */
  useKey(participantIdentity: string, trackSid: string, keyIndex: number): void {
    this.#request("cryptorSetKeyIndex", { participantIdentity, trackSid, keyIndex });
  }

  /** Of an event of this room that says how decryption goes. */
  stateIn({ message }: FfiEvent): { identity: string; state: EncryptionState } | undefined {
    if (message.case !== "roomEvent" || !isObject(message.value)) return undefined;
    const { roomHandle, message: inner } = message.value;
    if (roomHandle !== handleOf(this.#room) || !isObject(inner)) return undefined;
    if (inner.case !== "e2eeStateChanged" || !isObject(inner.value)) return undefined;
    const { participantIdentity, state } = inner.value;
    const name = ENCRYPTION_STATES[Number(state)];
    return name && { identity: String(participantIdentity), state: name };
  }

  #request(kind: string, value: object): void {
    const roomHandle = handleOf(this.#room);
    if (roomHandle === undefined)
      throw new HarnessError("BAD_USAGE", { what: `${kind} before the participant has connected` });
    this.#ffi.request({
      message: { case: "e2ee", value: { roomHandle, message: { case: kind, value } } },
    });
  }
}

function handleOf(room: Room): bigint | undefined {
  return (room as unknown as { ffiHandle?: { handle: bigint } }).ffiHandle?.handle;
}
