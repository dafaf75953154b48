import { publishDevice } from "#harness/clients/identities";
import { deviceName, refresh, revoke, signIn } from "#harness/clients/oauth/sign-in";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { REFRESHES_ANYTHING, WHOAMI_REQUEST } from "./mutants.ts";
import { DEVICES, expectAlive, expectEnded, expectOAuthError, signedIn } from "./people.ts";

const HEARS_OF_NO_CHANGE = altersAnswer(
  "tells nobody",
  { path: "/_matrix/client/v3/sync" },
  { remove: ["/device_lists"] },
);

check(
  "MSC3861.device.reuse-same-user",
  "a second login on a device ends the first session there",
  {
    mutant: [
      REFRESHES_ANYTHING,
      altersAnswer(
        "leaves the first access token alive",
        { ...WHOAMI_REQUEST, status: 401 },
        {
          status: 200,
          body: {},
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");
    const deviceId = deviceName(world);
    const first = await signIn(world, alice, { deviceId });
    await expectAlive(first.session);

    const second = await signIn(world, alice, { deviceId });

    expectOAuthError(await refresh(first), 400, ["invalid_grant"]);
    await expectEnded(world, first.session);
    await expectAlive(second.session);
  },
);

check(
  "MSC3861.device.collision-other-user",
  "two users may have devices of the same id",
  {
    mutant: altersAnswer("mixes them up", WHOAMI_REQUEST, { set: { "/user_id": "@other:hs1" } }),
  },
  async (world) => {
    const deviceId = deviceName(world);
    const [alice, bob] = [await world.account("alice"), await world.account("bob")];
    const [hers, his] = [
      await signIn(world, alice, { deviceId }),
      await signIn(world, bob, { deviceId }),
    ];
    await Promise.all([expectAlive(hers.session), expectAlive(his.session)]);

    expectStatus(await revoke(hers), 200);

    await expectEnded(world, hers.session);
    await expectAlive(his.session);
    ok(await refresh(his));
  },
);

/** Bob, of the server of this role, in an encrypted room with somebody who signs in once more. */
async function expectHeard(world: World, role: string): Promise<void> {
  const alice = await signedIn(world);
  const bob = await world.user("bob", role);
  const roomId = await alice.session.createRoom({
    preset: "public_chat",
    initial_state: [
      { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
    ],
  });
  await bob.joinWhole(roomId, alice.session);
  await publishDevice(alice.session);
  const { since } = await bob.syncUntil(undefined, "the room", (body) =>
    at(body, "rooms", "join", roomId),
  );

  const { session } = await signIn(world, alice.person);
  await publishDevice(session);

  await bob.syncUntil(since, "alice in device_lists.changed", (body) => {
    const changed = at(body, "device_lists", "changed");
    return Array.isArray(changed) && changed.includes(session.userId) ? true : undefined;
  });
  await world.eventually(async () => {
    const shown = await bob.post("/_matrix/client/v3/keys/query", {
      device_keys: { [session.userId]: [] },
    });
    const device = at(ok(shown), "device_keys", session.userId, session.deviceId, "device_id");
    expectEqual(device, session.deviceId, "the device that is shown", shown);
  });
}

check(
  "MSC3861.device.list-update-login",
  "those who share an encrypted room hear of a new session's device",
  { mutant: HEARS_OF_NO_CHANGE },
  (world) => expectHeard(world, "hs1"),
);

check(
  "MSC3861.device.list-update-login",
  "those of another server hear of a new session's device",
  { mutant: HEARS_OF_NO_CHANGE },
  (world) => expectHeard(world, "hs2"),
);

check(
  "MSC3861.device.display-name",
  "the server shows the device of a session",
  {
    mutant: altersAnswer(
      "does not know it",
      { method: "GET", path: `${DEVICES}/*` },
      { status: 404 },
    ),
  },
  async (world) => {
    const { session } = await signedIn(world);

    const response = await session.get(path`/_matrix/client/v3/devices/${session.deviceId}`);

    world.note(`display_name: ${at(ok(response), "display_name") ?? "none"}`);
  },
);

check(
  "MSC3861.device.rename",
  "a client renames its device without further authentication",
  {
    mutant: [
      altersAnswer(
        "asks for authentication",
        { method: "PUT" },
        {
          status: 401,
          body: { flows: [], session: "s" },
        },
      ),
      altersAnswer(
        "keeps the old name",
        { method: "GET", path: `${DEVICES}/*` },
        {
          set: { "/display_name": "old" },
        },
      ),
    ],
  },
  async (world) => {
    const { session } = await signedIn(world);
    const target = path`/_matrix/client/v3/devices/${session.deviceId}`;

    const response = await session.put(target, { display_name: "new name" });
    const shown = await session.get(target);

    expectEqual(ok(response), {}, "the answer", response);
    expectEqual(ok(shown).display_name, "new name", "display_name", shown);
  },
);
