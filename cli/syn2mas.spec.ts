/**
 * People who are there when Synapse hands its accounts to a real MAS keep their devices, tokens, passwords and encryption: on the
 * program that CRUCIBLE_MAS_BINARY names.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startClient } from "#harness/clients/crypto/start-client";
import { createClient, type HttpResponse } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { MigrationForSpecs } from "./migration-for-specs.ts";

const WHOAMI = "/_matrix/client/v3/account/whoami";
const DEVICES = "/_matrix/client/v3/devices";
const KEYS = "/_matrix/client/v3/keys/query";
const { CRUCIBLE_MAS_BINARY: binary } = process.env;
const ENCRYPTED = {
  preset: "private_chat",
  initial_state: [
    { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
  ],
};

test.skipIf(binary !== undefined)("waits for a real MAS to be named", ({ skip }) => {
  skip("CRUCIBLE_MAS_BINARY names no mas-cli");
});

async function registered(here: World, servers: MigrationForSpecs, name: string): Promise<Session> {
  const [localpart, password] = [here.name(name), here.name("password")];
  const { userId, ...device } = await servers.register(localpart, password);
  return here.session("hs1", { userId, localpart, password }, device);
}

/** Another device, with a token that is renewed. */
function logIn(baseUrl: string, { userId: user }: Session, password: string) {
  return createClient({ baseUrl }).request("POST", "/_matrix/client/v3/login", {
    body: {
      type: "m.login.password",
      identifier: { type: "m.id.user", user },
      password,
      refresh_token: true,
    },
  });
}

function sessionIn(here: World, person: Session, { json }: HttpResponse): Session {
  return here.session("hs1", person, {
    accessToken: textAt(json, "access_token"),
    deviceId: textAt(json, "device_id"),
  });
}

/** What a homeserver tells of somebody, times and addresses left out. */
async function known(session: Session) {
  const devices = ok(await session.get(DEVICES)).devices as Record<string, unknown>[];
  const keys = ok(await session.post(KEYS, { device_keys: { [session.userId]: [] } }));
  return {
    whoami: ok(await session.get(WHOAMI)),
    devices: devices
      .map(({ device_id, display_name }) => ({ device_id, display_name }))
      .sort((left, right) => String(left.device_id).localeCompare(String(right.device_id))),
    deviceKeys: at(keys, "device_keys", session.userId),
    master: at(keys, "master_keys", session.userId),
  };
}

describe.skipIf(binary === undefined)("syn2mas", () => {
  let servers: MigrationForSpecs;

  beforeAll(async () => {
    servers = await MigrationForSpecs.start(binary ?? "");
  }, 300_000);

  afterAll(async () => {
    await servers?.[Symbol.asyncDispose]();
  });

  test("keeps users, devices, tokens, passwords and encryption", { timeout: 600_000 }, async () => {
    await using here = servers.world();
    const [asAlice, asBob] = [
      await registered(here, servers, "alice"),
      await registered(here, servers, "bob"),
    ];
    const login = await logIn(servers.synapse, asAlice, asAlice.password);
    const second = sessionIn(here, asAlice, login);
    const refreshToken = textAt(login.json, "refresh_token");
    await using alice = await startClient("wasm", asAlice);
    await using bob = await startClient("wasm", asBob);
    await Promise.all([alice.bootstrapIdentity(), bob.bootstrapIdentity()]);
    const roomId = await asAlice.createRoom(ENCRYPTED);
    await asAlice.invite(roomId, asBob);
    await asBob.join(roomId);
    const before = await alice.send(roomId, { msgtype: "m.text", body: "before" });
    const people = [asAlice, asBob, second];
    const was = await Promise.all(people.map(known));

    await servers.stopSynapse();
    await servers.prepareMas();
    expect(await servers.syn2mas("check")).toMatchObject({ code: 0 });
    expect(await servers.syn2mas("migrate")).toMatchObject({ code: 0 });
    await servers.startSynapse("mas");
    await servers.startMas();

    expect(await Promise.all(people.map(known))).toEqual(was);
    await bob.syncOnce();
    expect(await bob.read(roomId, before.eventId)).toMatchObject({ content: { body: "before" } });
    const after = await bob.send(roomId, { msgtype: "m.text", body: "after" });
    await alice.syncOnce();
    expect(await alice.read(roomId, after.eventId)).toMatchObject({ content: { body: "after" } });

    const mas = createClient({ baseUrl: servers.mas });
    const renewed = await mas.request("POST", "/_matrix/client/v3/refresh", {
      body: { refresh_token: refreshToken },
    });
    const accessToken = textAt(ok(renewed), "access_token");
    const { deviceId } = second;
    const refreshed = here.session("hs1", asAlice, { accessToken, deviceId });
    expect(ok(await refreshed.get(WHOAMI))).toMatchObject({ device_id: deviceId });
    const again = await logIn(servers.mas, asAlice, asAlice.password);
    expect((await sessionIn(here, asAlice, again).get(WHOAMI)).status).toBe(200);

    // What is not from before is nobody's.
    expect((await logIn(servers.mas, asAlice, "wrong")).status).toBe(403);
    const made = here.session("hs1", asAlice, { accessToken: "syt_made_up", deviceId });
    expect((await made.get(WHOAMI)).status).toBe(401);
    ok(
      await createClient({ baseUrl: servers.mas, accessToken: asBob.accessToken }).request(
        "POST",
        "/_matrix/client/v3/logout",
        { body: {} },
      ),
    );
    await expect.poll(async () => (await asBob.get(WHOAMI)).status).toBe(401);
    for (const { accessToken } of people) expect(servers.log("as1")).not.toContain(accessToken);
  });

  test("leaves those behind who were not migrated", { timeout: 300_000 }, async () => {
    await using own = await MigrationForSpecs.start(binary ?? "");
    await using here = own.world();
    const alice = await registered(here, own, "alice");
    expect((await alice.get(WHOAMI)).status).toBe(200);

    await own.stopSynapse();
    await own.prepareMas();
    await own.startMas();
    await own.startSynapse("mas");

    expect((await alice.get(WHOAMI)).status).toBe(401);
    expect((await logIn(own.mas, alice, alice.password)).status).toBe(403);
  });
});
