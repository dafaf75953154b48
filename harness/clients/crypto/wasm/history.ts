/** Keys for who was not there: bundles for the invited (MSC4268) and dehydrated devices (MSC3814). */
import { DehydratedDeviceKey, DeviceId, RoomId, UserId } from "@matrix-org/matrix-sdk-crypto-wasm";
import { path } from "#harness/http/client";
import { eventsAt, textAt } from "#harness/match/json";
import { expectStatus, ok } from "#harness/world/expect";
import type { Told } from "../client-log.ts";
import type { DehydrationSteps, HistorySteps, Secret } from "../crypto-client.ts";
import { secret } from "../secret.ts";
import type { Engine } from "./engine.ts";
import { told } from "./room-keys.ts";

const DEHYDRATED = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

export class WasmHistory implements HistorySteps {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async share(roomId: string, userId: string): Promise<boolean> {
    const engine = this.#engine;
    const { machine, session } = engine;
    const bundle = await machine.buildRoomKeyBundle(new RoomId(roomId));
    if (bundle === undefined) {
      engine.telling.bundles(roomId, userId, undefined);
      return false;
    }
    const uploaded = await session.request("POST", "/_matrix/media/v3/upload", {
      raw: bundle.encryptedData,
      headers: { "content-type": "application/octet-stream" },
    });
    const url = textAt(ok(uploaded), "content_uri");
    await engine.track([userId]);
    await engine.pump();
    await engine.establish([userId]);
    const requests = await machine.shareRoomKeyBundleData(
      new UserId(userId),
      new RoomId(roomId),
      url,
      bundle.mediaEncryptionInfo,
      engine.sharing(),
    );
    engine.telling.bundles(roomId, userId, requests.map(told));
    for (const request of requests) await engine.perform(request);
    return true;
  }

  async accept(roomId: string, inviter: string): Promise<boolean> {
    const { machine, session, keeping, telling } = this.#engine;
    const tell = (outcome: Told<"unbundled">["outcome"]) =>
      telling.tell("unbundled", { room: roomId, from: inviter, outcome });
    // As Element's clients do: a bundle counts only when its sender's device is known, and signed.
    await this.#engine.perform(machine.queryKeysForUsers([new UserId(inviter)]));
    const data = await machine.getReceivedRoomKeyBundleData(
      new RoomId(roomId),
      new UserId(inviter),
    );
    if (data === undefined) {
      tell("unknown");
      return false;
    }
    let outcome: Told<"unbundled">["outcome"] = "not-downloaded";
    try {
      const [, server = "", media = ""] = /^mxc:\/\/([^/]+)\/(.+)$/.exec(data.url) ?? [];
      const target = path`/_matrix/client/v1/media/download/${server}/${media}`;
      const response = await session.get(target);
      expectStatus(response, 200);
      outcome = "refused";
      await machine.receiveRoomKeyBundle(data, response.bytes);
      outcome = "imported";
    } finally {
      tell(outcome);
    }
    await keeping.persist();
    return true;
  }
}

export class WasmDehydration implements DehydrationSteps {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async create(): Promise<{ readonly deviceId: string; readonly key: Secret }> {
    const { machine, session, keeping } = this.#engine;
    const device = await machine.dehydratedDevices().create();
    const key = DehydratedDeviceKey.createRandomKey();
    const { body } = await device.keysForUpload("dehydrated", key);
    const uploaded = ok(await session.put(DEHYDRATED, JSON.parse(body)));
    await keeping.persist();
    return { deviceId: textAt(uploaded, "device_id"), key: secret(key.toBase64()) };
  }

  async rehydrate(key: Secret): Promise<number> {
    const engine = this.#engine;
    const { machine, session, keeping } = engine;
    const found = ok(await session.get(DEHYDRATED));
    const deviceId = textAt(found, "device_id");
    const device = await machine
      .dehydratedDevices()
      .rehydrate(
        DehydratedDeviceKey.createKeyFromArray(Buffer.from(key.reveal(), "base64")),
        new DeviceId(deviceId),
        JSON.stringify(found.device_data),
      );
    let keys = 0;
    let next: string | undefined;
    for (;;) {
      const target = path`/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/${deviceId}/events`;
      const page = ok(await session.post(target, next === undefined ? {} : { next_batch: next }));
      const events = eventsAt(page, "events");
      if (events.length === 0) break;
      const infos = await device.receiveEvents(JSON.stringify(events), engine.decryption());
      keys += infos.length;
      next = textAt(page, "next_batch");
    }
    await keeping.persist();
    return keys;
  }
}
