import { makeDevice, publishDevice } from "#harness/clients/identities";
import { revoke, signIn } from "#harness/clients/oauth/sign-in";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { hearing, TELLS_NOBODY } from "./device-news.ts";
import { CLAIMS_TO_REVOKE } from "./mutants.ts";
import { DEVICES, expectSessionEnded, PROPAGATION_MS, signedIn } from "./people.ts";

check(
  "MSC3861.revoke.device-deleted",
  "the server removes the device of a session that has ended",
  {
    mutant: [
      CLAIMS_TO_REVOKE,
      altersAnswer(
        "keeps the device",
        { path: `${DEVICES}/*`, status: 404 },
        {
          status: 200,
          body: {},
        },
      ),
    ],
  },
  async (world) => {
    const session = await signedIn(world);
    const other = await signIn(world, session.person);
    const { deviceId, userId } = session.session;
    await publishDevice(session.session);

    expectStatus(await revoke(session), 200);

    await world.eventually(
      async () => {
        const device = await other.session.get(path`/_matrix/client/v3/devices/${deviceId}`);
        expectMatrixError(device, 404);
        const body = { device_keys: { [userId]: [] } };
        const shown = await other.session.post("/_matrix/client/v3/keys/query", body);
        const keys = at(ok(shown), "device_keys", userId, deviceId);
        expectEqual(keys, undefined, "keys of the device", shown);
      },
      { deadlineMs: PROPAGATION_MS },
    );
  },
);

/**
 * Bob, of the server of this role, hears that a session of somebody's has ended. Another one stays, with its keys: what a server
 * makes of a list on which nothing is left is for E2EE.devlist.fed-prev-gap.
 */
async function expectHeard(world: World, role: string): Promise<void> {
  const session = await signedIn(world);
  const other = await signIn(world, session.person);
  await publishDevice(other.session);

  await hearing(world, role, session.session, async () => expectStatus(await revoke(session), 200));
}

check(
  "MSC3861.revoke.device-list-update",
  "those who share an encrypted room hear that a session has ended",
  { mutant: TELLS_NOBODY },
  (world) => expectHeard(world, "hs1"),
);

check(
  "MSC3861.revoke.device-list-update",
  "those of another server hear that a session has ended",
  { mutant: TELLS_NOBODY },
  (world) => expectHeard(world, "hs2"),
);

const DEHYDRATED = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

check(
  "MSC3861.revoke.dehydrated-device",
  "the end of a session leaves the user's dehydrated device alone",
  {
    mutant: altersAnswer(
      "deletes it",
      { method: "GET", path: DEHYDRATED, status: 200 },
      { status: 404, body: { errcode: "M_NOT_FOUND", error: "no" } },
    ),
  },
  async (world) => {
    const session = await signedIn(world);
    const other = await signIn(world, session.person);
    const { userId, context } = session.session;
    const deviceId = world.name("dehydrated");
    const { keys } = makeDevice({ userId, deviceId, context }, { dehydrated: true });
    const stored = await session.session.put(DEHYDRATED, {
      device_id: deviceId,
      device_data: { algorithm: "org.matrix-crucible.none", account: "text" },
      initial_device_display_name: "dehydrated",
      device_keys: keys,
    });
    ok(stored);

    expectStatus(await revoke(other), 200);
    await expectSessionEnded(world, other);

    const response = await session.session.get(DEHYDRATED);
    expectEqual(ok(response).device_id, deviceId, "the dehydrated device", response);
  },
);
