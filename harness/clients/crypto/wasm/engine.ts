/** matrix-sdk-crypto's machine and the session whose requests it wants sent: what all parts of the wasm client stand on. */
import {
  CollectStrategy,
  DecryptionSettings,
  type KeysBackupRequest,
  type KeysClaimRequest,
  type KeysQueryRequest,
  type KeysUploadRequest,
  type OlmMachine,
  RequestType,
  type RoomMessageRequest,
  type SignatureUploadRequest,
  type ToDeviceRequest,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { HarnessError } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { eventsAt, type JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { CryptoPolicy } from "../crypto-client.ts";

export type Outgoing =
  | KeysUploadRequest
  | KeysQueryRequest
  | KeysClaimRequest
  | ToDeviceRequest
  | SignatureUploadRequest
  | RoomMessageRequest
  | KeysBackupRequest;

const CLIENT = "/_matrix/client/v3";
/** A machine whose requests succeed needs two or three rounds. */
const MOST_ROUNDS = 10;

export class Engine {
  readonly session: Session;
  readonly policy: CryptoPolicy;
  readonly machine: OlmMachine;

  constructor(session: Session, policy: CryptoPolicy, machine: OlmMachine) {
    this.session = session;
    this.policy = policy;
    this.machine = machine;
  }

  /** New ones for each call: the machine takes them over. */
  decryption(): DecryptionSettings {
    return new DecryptionSettings(
      {
        untrusted: TrustRequirement.Untrusted,
        legacy: TrustRequirement.CrossSignedOrLegacy,
        "cross-signed": TrustRequirement.CrossSigned,
      }[this.policy.read],
    );
  }

  sharing(): CollectStrategy {
    return {
      all: () => CollectStrategy.allDevices(),
      identity: () => CollectStrategy.identityBasedStrategy(),
      trusted: () => CollectStrategy.onlyTrustedDevices(),
    }[this.policy.share]();
  }

  /** Sends what the machine wants sent, until it wants nothing more. */
  async pump(): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const requests = await this.machine.outgoingRequests();
      if (requests.length === 0) return;
      for (const request of requests) await this.perform(request);
    }
    throw new HarnessError("INTERNAL", {
      what: `the crypto engine of ${this.session.userId} still wants requests sent after ${MOST_ROUNDS} rounds`,
      facts: (await this.machine.outgoingRequests()).map(({ type }) => RequestType[type] ?? ""),
      next: "see the wire log: the server may take requests and forget them",
    });
  }

  async perform(request: Outgoing): Promise<void> {
    const response = await this.#exchange(request);
    ok(response);
    await this.machine.markRequestAsSent(request.id ?? "", request.type, response.text);
  }

  /** Their devices are asked for, now and whenever they change: without that no sender's device is known to be signed. */
  async track(users: readonly string[]): Promise<void> {
    await this.machine.updateTrackedUsers(usersOf(users));
  }

  /** Who is in the room or invited: those who may read what is said now. */
  async members(roomId: string): Promise<readonly string[]> {
    const response = await this.session.get(path`/_matrix/client/v3/rooms/${roomId}/members`);
    return eventsAt(ok(response), "chunk")
      .filter(({ content }) => content.membership === "join" || content.membership === "invite")
      .flatMap(({ state_key }) => (typeof state_key === "string" ? [state_key] : []));
  }

  #exchange(request: Outgoing): Promise<HttpResponse> {
    const body = JSON.parse(request.body) as JsonObject;
    const { session } = this;
    switch (request.type) {
      case RequestType.KeysUpload:
        return session.post(`${CLIENT}/keys/upload`, body);
      case RequestType.KeysQuery:
        return session.post(`${CLIENT}/keys/query`, body);
      case RequestType.KeysClaim:
        return session.post(`${CLIENT}/keys/claim`, body);
      case RequestType.SignatureUpload:
        return session.post(`${CLIENT}/keys/signatures/upload`, body);
      case RequestType.ToDevice: {
        const { event_type, txn_id } = request as ToDeviceRequest;
        return session.put(path`/_matrix/client/v3/sendToDevice/${event_type}/${txn_id}`, body);
      }
      case RequestType.RoomMessage: {
        const { room_id, event_type, txn_id } = request as RoomMessageRequest;
        const target = path`/_matrix/client/v3/rooms/${room_id}/send/${event_type}/${txn_id}`;
        return session.put(target, body);
      }
      case RequestType.KeysBackup: {
        const { version } = request as KeysBackupRequest;
        return session.put(`${CLIENT}/room_keys/keys`, body, { version });
      }
    }
  }
}

/** New ones for each call: the engine takes them over, as it does settings. */
export function usersOf(ids: readonly string[]): UserId[] {
  return ids.map((id) => new UserId(id));
}
