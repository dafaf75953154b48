/** Verification by short strings and by QR code, to devices and in rooms (client-server API, "Device verification"). */
import {
  DeviceId,
  EventId,
  OtherUserIdentity,
  QrCodeScan,
  RequestType,
  RoomId,
  type RoomMessageRequest,
  Sas,
  UserId,
  VerificationMethod,
  type VerificationRequest,
  VerificationRequestPhase,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { eventsAt, isObject, type JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { VerificationSteps, VerificationView } from "../crypto-client.ts";
import type { Engine, Outgoing } from "./engine.ts";
import { encrypted, shareRoomKey } from "./room-keys.ts";

const METHODS = () => [
  VerificationMethod.SasV1,
  VerificationMethod.QrCodeScanV1,
  VerificationMethod.QrCodeShowV1,
  VerificationMethod.ReciprocateV1,
];
const PREFIX = "m.key.verification.";
const PHASES: Readonly<Record<VerificationRequestPhase, VerificationView["phase"]>> = {
  [VerificationRequestPhase.Created]: "requested",
  [VerificationRequestPhase.Requested]: "requested",
  [VerificationRequestPhase.Ready]: "ready",
  [VerificationRequestPhase.Transitioned]: "started",
  [VerificationRequestPhase.Done]: "done",
  [VerificationRequestPhase.Cancelled]: "cancelled",
};

export class WasmVerification implements VerificationSteps {
  readonly #engine: Engine;
  /** Room events that the machine has had: an echo would begin a flow anew. */
  readonly #taken = new Set<string>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async request(
    userId: string,
    where: { readonly deviceId: string } | { readonly roomId: string },
  ): Promise<string> {
    const { machine, session } = this.#engine;
    if ("deviceId" in where) {
      const device = await machine.getDevice(new UserId(userId), new DeviceId(where.deviceId));
      if (device === undefined) throw this.#unknown(`device ${where.deviceId} of ${userId}`);
      const [request, outgoing] = device.requestVerification(METHODS());
      await this.#send(outgoing);
      return request.flowId;
    }
    const identity = await machine.getIdentity(new UserId(userId));
    if (!(identity instanceof OtherUserIdentity)) throw this.#unknown(`identity of ${userId}`);
    const content = JSON.parse(identity.verificationRequestContent(METHODS())) as JsonObject;
    await shareRoomKey(this.#engine, where.roomId);
    const message = await encrypted(this.#engine, where.roomId, "m.room.message", content);
    const eventId = await session.send(where.roomId, message, "m.room.encrypted");
    this.#taken.add(eventId);
    identity.requestVerification(new RoomId(where.roomId), new EventId(eventId), METHODS());
    return eventId;
  }

  async view(userId: string, flowId: string): Promise<VerificationView | undefined> {
    const request = this.#engine.machine.getVerificationRequest(new UserId(userId), flowId);
    if (request === undefined) return undefined;
    const cancelled = request.cancelInfo?.cancelCode();
    const flow = request.getVerification();
    const phase = PHASES[request.phase()];
    const view = { flowId, ...(cancelled === undefined ? {} : { cancelled }) };
    if (flow instanceof Sas && phase === "started") {
      const decimals = flow.canBePresented() ? flow.decimals() : undefined;
      if (decimals === undefined) return { ...view, phase };
      return { ...view, phase: "compare", decimals: [...decimals] };
    }
    const isScanned = flow !== undefined && "hasBeenScanned" in flow && flow.hasBeenScanned();
    return { ...view, phase: phase === "started" && isScanned ? "compare" : phase };
  }

  async accept(userId: string, flowId: string): Promise<void> {
    const request = this.#request(userId, flowId);
    const flow = request.getVerification();
    if (flow instanceof Sas) await this.#send(flow.accept());
    else await this.#send(request.acceptWithMethods(METHODS()));
  }

  async startSas(userId: string, flowId: string): Promise<void> {
    const [, outgoing] = (await this.#request(userId, flowId).startSas()) ?? [];
    await this.#send(outgoing);
  }

  async confirm(userId: string, flowId: string): Promise<void> {
    const flow = this.#request(userId, flowId).getVerification();
    if (flow instanceof Sas) {
      for (const outgoing of (await flow.confirm()) as Outgoing[]) await this.#send(outgoing);
    } else await this.#send(flow?.confirmScanning());
  }

  async cancel(userId: string, flowId: string): Promise<void> {
    await this.#send(this.#request(userId, flowId).cancel());
  }

  async showQr(userId: string, flowId: string): Promise<Uint8Array> {
    const code = await this.#request(userId, flowId).generateQrCode();
    if (code === undefined) throw this.#unknown(`QR code of ${flowId}`);
    return new Uint8Array(code.toBytes());
  }

  async scan(userId: string, flowId: string, code: Uint8Array): Promise<void> {
    const scan = QrCodeScan.fromBytes(new Uint8ClampedArray(code));
    const flow = await this.#request(userId, flowId).scanQrCode(scan);
    await this.#send(flow.reciprocate());
  }

  async takeRoom(roomId: string): Promise<void> {
    const { machine, session } = this.#engine;
    const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
    const body = ok(await session.get(target, { dir: "b", limit: 50 }));
    for (const event of [...eventsAt(body, "chunk")].reverse()) {
      const { event_id } = event;
      if (typeof event_id !== "string" || this.#taken.has(event_id)) continue;
      const plain = event.type === "m.room.encrypted" ? await this.#plain(roomId, event) : event;
      if (plain === undefined) continue;
      this.#taken.add(event_id);
      const { type, content } = plain;
      const message = isObject(content) ? content.msgtype : undefined;
      if (!String(type).startsWith(PREFIX) && !String(message).startsWith(PREFIX)) continue;
      await machine.receiveVerificationEvent(JSON.stringify(plain), new RoomId(roomId));
    }
    await this.#engine.pump();
  }

  async #plain(roomId: string, event: JsonObject): Promise<JsonObject | undefined> {
    using settings = this.#engine.decryption();
    try {
      const { machine } = this.#engine;
      const text = JSON.stringify(event);
      using decrypted = await machine.decryptRoomEvent(text, new RoomId(roomId), settings);
      return JSON.parse(decrypted.event) as JsonObject;
    } catch {
      // Its key may come with a later sync.
      return undefined;
    }
  }

  /** In a room a step is a message like any other: encrypted. */
  async #send(outgoing: Outgoing | undefined): Promise<void> {
    if (outgoing === undefined) return;
    const engine = this.#engine;
    if (outgoing.type !== RequestType.RoomMessage) return engine.perform(outgoing);
    const { room_id, event_type, txn_id, body, id } = outgoing as RoomMessageRequest;
    await shareRoomKey(engine, room_id);
    const content = JSON.parse(body) as JsonObject;
    const message = await encrypted(engine, room_id, event_type, content);
    const target = path`/_matrix/client/v3/rooms/${room_id}/send/m.room.encrypted/${txn_id}`;
    const response = await engine.session.put(target, message);
    const { event_id } = ok(response);
    this.#taken.add(String(event_id));
    await engine.machine.markRequestAsSent(id, RequestType.RoomMessage, response.text);
  }

  #request(userId: string, flowId: string): VerificationRequest {
    const request = this.#engine.machine.getVerificationRequest(new UserId(userId), flowId);
    if (request === undefined) throw this.#unknown(`verification ${flowId} with ${userId}`);
    return request;
  }

  #unknown(what: string): HarnessError {
    const { userId, deviceId } = this.#engine.session;
    return new HarnessError("BAD_USAGE", {
      what: `${userId} ${deviceId} knows no ${what}`,
      next: "let it sync first",
    });
  }
}
