/** matrix-sdk-crypto's machine and the session whose requests it wants sent: what all parts of the wasm client stand on. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  CollectStrategy,
  DecryptionSettings,
  type KeysBackupRequest,
  type KeysClaimRequest,
  type KeysQueryRequest,
  type KeysUploadRequest,
  type OlmMachine,
  type ProcessedToDeviceEvent,
  RequestType,
  type RoomMessageRequest,
  type SignatureUploadRequest,
  type ToDeviceRequest,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { describe, HarnessError } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { eventsAt, type JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { CryptoPolicy } from "../crypto-client.ts";
import type { Keeping } from "../store/keeping.ts";
import type { Telling } from "../telling.ts";
import { OpenClaims } from "./open-claims.ts";

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
/** As clients do, a request that got no answer, or one that says "later", goes again, under the same transaction id. */
const PAUSES_MS = [250, 500, 1_000];

export class Engine {
  readonly session: Session;
  readonly policy: CryptoPolicy;
  readonly machine: OlmMachine;
  readonly keeping: Keeping;
  readonly telling: Telling;
  readonly claims = new OpenClaims();
  /** Told of each to-device event that came, when the engine has taken it in. */
  onToDevice: (event: ProcessedToDeviceEvent) => void = () => undefined;
  #pumping: Promise<void> | undefined;

  constructor(parts: Pick<Engine, "session" | "policy" | "machine" | "keeping" | "telling">) {
    this.session = parts.session;
    this.policy = parts.policy;
    this.machine = parts.machine;
    this.keeping = parts.keeping;
    this.telling = parts.telling;
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

  /** Sends what the machine wants sent, until it wants nothing more. One at a time: it names a request until it is sent. */
  async pump(): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping.catch(() => undefined);
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
    });
    await this.#pumping;
  }

  async #pump(): Promise<void> {
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

  /** What is seen by others is on disk before: a client that dies has forgotten nothing that it has said. */
  async perform(request: Outgoing): Promise<void> {
    const what = {
      request: RequestType[request.type] ?? "",
      ...(request.id && { id: request.id }),
    };
    this.telling.tell("wants", what);
    await this.keeping.persist();
    const response = await this.#patiently(what, () => this.#exchange(request));
    await this.machine.markRequestAsSent(request.id ?? "", request.type, response.text);
    if (request.type === RequestType.KeysQuery) this.telling.knows(request.body, response);
    if (request.type === RequestType.KeysClaim) {
      this.telling.claimed(request.body, response);
      this.claims.note(request.body, response.json);
    }
    await this.keeping.persist();
  }

  /** Their devices are asked for, now and whenever they change: without that no sender's device is known to be signed. */
  async track(users: readonly string[]): Promise<void> {
    await this.machine.updateTrackedUsers(usersOf(users));
  }

  /** Olm sessions with all devices of these users that have none, where the server has a key for them. */
  async establish(users: readonly string[]): Promise<void> {
    const claim = await this.machine.getMissingSessions(usersOf(users));
    if (claim) await this.perform(claim);
  }

  /** Who is in the room or invited: those who may read what is said now. */
  async members(roomId: string): Promise<readonly string[]> {
    const response = await this.session.get(path`/_matrix/client/v3/rooms/${roomId}/members`);
    return eventsAt(ok(response), "chunk")
      .filter(({ content }) => content.membership === "join" || content.membership === "invite")
      .flatMap(({ state_key }) => (typeof state_key === "string" ? [state_key] : []));
  }

  async #patiently(
    what: { readonly request: string; readonly id?: string },
    send: () => Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    for (let tries = 0; ; tries++) {
      const pause = PAUSES_MS[tries];
      try {
        const response = await send();
        this.telling.did(what, response);
        const isLater = response.status === 429 || response.status >= 500;
        if (!isLater || pause === undefined) {
          ok(response);
          return response;
        }
      } catch (error) {
        if (!(error instanceof HarnessError) || error.code !== "HS_NO_ANSWER") throw error;
        this.telling.tell("did", { ...what, error: describe(error).slice(0, 200) });
        if (pause === undefined) throw error;
      }
      await sleep(pause, undefined, { signal: this.session.context.signal });
    }
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
