import { publishDevice } from "#harness/clients/identities";
import { deviceName, refresh, revoke, signIn } from "#harness/clients/oauth/sign-in";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { expectShown, hearing, TELLS_NOBODY } from "./device-news.ts";
import { REFRESHES_ANYTHING, WHOAMI_REQUEST } from "./mutants.ts";
import { DEVICES, expectAlive, expectEnded, expectOAuthError, signedIn } from "./people.ts";

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

/** Bob, of the server of this role, hears that somebody has signed in once more, and sees the device. */
async function expectHeard(world: World, role: string): Promise<void> {
  const alice = await signedIn(world);

  const { bob, value: session } = await hearing(world, role, alice.session, async () => {
    const { session } = await signIn(world, alice.person);
    await publishDevice(session);
    return session;
  });

  await world.eventually(() => expectShown(bob, session));
}

check(
  "MSC3861.device.list-update-login",
  "those who share an encrypted room hear of a new session's device",
  { mutant: TELLS_NOBODY },
  (world) => expectHeard(world, "hs1"),
);

check(
  "MSC3861.device.list-update-login",
  "those of another server hear of a new session's device",
  { mutant: TELLS_NOBODY },
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
