/** Application services manage the devices of their users, and act as them (MSC4190, MSC4326). */
import { makeDevice, makeIdentity } from "#harness/clients/identities";
import { type HttpResponse, path } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { appservice, newGhost } from "#harness/world/appservice";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { Account, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { WHOAMI_REQUEST } from "./mutants.ts";
import { signedIn, WHOAMI } from "./people.ts";

const KEYS_UPLOAD = "/_matrix/client/v3/keys/upload";
const KEYS_QUERY = "/_matrix/client/v3/keys/query";
const SIGNING_UPLOAD = "/_matrix/client/v3/keys/device_signing/upload";
const ONE_DEVICE = "/_matrix/client/v3/devices/*";

/** An application service, and a user of its own with a device. */
async function ghostWithDevice(world: World) {
  const [service, ghost] = [appservice(world), await newGhost(world)];
  const deviceId = await addDevice(world, service, ghost);
  return { service, ghost, deviceId, query: { user_id: ghost.userId, device_id: deviceId } };
}

async function addDevice(world: World, service: Session, ghost: Account): Promise<string> {
  const deviceId = world.name("DEVICE");
  const target = path`/_matrix/client/v3/devices/${deviceId}`;
  expectStatus(await service.put(target, {}, { user_id: ghost.userId }), [200, 201]);
  return deviceId;
}

/** A client that signs as the device. */
function sessionOf(world: World, ghost: Account, deviceId: string): Session {
  return world.session("hs1", ghost, { accessToken: appservice(world).accessToken, deviceId });
}

function expectIs(response: HttpResponse, userId: string, deviceId: string | undefined): void {
  const { user_id, device_id } = ok(response);
  const expected = { user_id: userId, device_id: deviceId };
  expectEqual({ user_id, device_id }, expected, "who it is", response);
}

check(
  "MSC3861.as.device-create",
  "an application service creates a device, and names it",
  {
    mutant: [
      altersAnswer("creates it each time", { method: "PUT", path: ONE_DEVICE }, { status: 201 }),
      altersAnswer("never says so", { method: "PUT", path: ONE_DEVICE }, { status: 200 }),
      altersRequest("loses the name", { method: "PUT", path: ONE_DEVICE }, { body: {} }),
    ],
  },
  async (world) => {
    const [service, ghost] = [appservice(world), await newGhost(world)];
    const target = path`/_matrix/client/v3/devices/${world.name("DEVICE")}`;
    const query = { user_id: ghost.userId };

    const first = await service.put(target, { display_name: "Bridge" }, query);
    const second = await service.put(target, { display_name: "Bridge" }, query);
    const shown = await service.get(target, query);

    expectStatus(first, 201);
    expectStatus(second, 200);
    expectEqual(ok(shown).display_name, "Bridge", "display_name", shown);
  },
);

check(
  "MSC3861.as.device-create",
  "nobody else creates a device so",
  {
    mutant: claims("creates it", { method: "PUT", path: ONE_DEVICE }, {}),
  },
  async (world) => {
    const { session } = await signedIn(world);
    const target = path`/_matrix/client/v3/devices/${world.name("DEVICE")}`;

    const response = await session.put(target, { display_name: "Mine" });

    expectMatrixError(response, 404);
    expectStatus(await session.get(target), 404);
  },
);

const UIA = { flows: [{ stages: ["m.login.password"] }], params: {}, session: "session" };

/** Deletes a device of a ghost in some way; another one stays. */
async function expectDeletes(
  world: World,
  remove: (service: Session, deviceId: string, userId: string) => Promise<HttpResponse>,
): Promise<void> {
  const { service, ghost, deviceId } = await ghostWithDevice(world);
  const kept = await addDevice(world, service, ghost);
  const query = { user_id: ghost.userId };

  const response = await remove(service, deviceId, ghost.userId);

  ok(response);
  const gone = await service.get(path`/_matrix/client/v3/devices/${deviceId}`, query);
  expectMatrixError(gone, 404);
  ok(await service.get(path`/_matrix/client/v3/devices/${kept}`, query));
}

check(
  "MSC3861.as.device-delete",
  "an application service deletes a device without authentication",
  {
    mutant: [
      altersAnswer("asks for it", { method: "DELETE" }, { status: 401, body: UIA }),
      claims("claims so", { method: "DELETE" }, {}),
    ],
  },
  (world) =>
    expectDeletes(world, (service, deviceId, user_id) =>
      service.request("DELETE", path`/_matrix/client/v3/devices/${deviceId}`, {
        body: {},
        query: { user_id },
      }),
    ),
);

const DELETE_DEVICES = "/_matrix/client/v3/delete_devices";

check(
  "MSC3861.as.device-delete",
  "an application service deletes several devices without authentication",
  {
    mutant: [
      altersAnswer("asks for it", { path: DELETE_DEVICES }, { status: 401, body: UIA }),
      claims("claims so", { path: DELETE_DEVICES }, {}),
    ],
  },
  (world) =>
    expectDeletes(world, (service, deviceId, user_id) =>
      service.post(DELETE_DEVICES, { devices: [deviceId] }, { user_id }),
    ),
);

check(
  "MSC3861.as.cross-signing",
  "an application service replaces the cross-signing keys of a user without approval",
  {
    mutant: [
      altersAnswer("asks for approval", { path: SIGNING_UPLOAD }, { status: 401, body: UIA }),
      altersAnswer(
        "keeps the former keys",
        { path: KEYS_QUERY },
        { remove: ["/master_keys/*/keys"] },
      ),
    ],
  },
  async (world) => {
    const { service, ghost, deviceId, query } = await ghostWithDevice(world);
    const device = sessionOf(world, ghost, deviceId);
    ok(await service.post(SIGNING_UPLOAD, makeIdentity(device).body, query));
    const other = makeIdentity(device);

    const response = await service.post(SIGNING_UPLOAD, other.body, query);

    ok(response);
    const asked = { device_keys: { [ghost.userId]: [] } };
    const shown = await service.post(KEYS_QUERY, asked, query);
    const keys = at(ok(shown), "master_keys", ghost.userId, "keys");
    const values = isObject(keys) ? Object.values(keys) : [];
    expectEqual(values, [other.publicKeys.master], "the master key", shown);
  },
);

check(
  "MSC3861.as.masquerade-device",
  "an application service acts as a device of its user",
  {
    mutant: [
      altersAnswer("does not look at the device", WHOAMI_REQUEST, { remove: ["/device_id"] }),
      altersRequest("loses the keys", { path: KEYS_UPLOAD }, { body: {} }),
    ],
  },
  async (world) => {
    const { service, ghost, deviceId, query } = await ghostWithDevice(world);
    await addDevice(world, service, ghost);
    const { keys } = makeDevice(sessionOf(world, ghost, deviceId));

    const whoami = await service.get(WHOAMI, query);
    const upload = await service.post(KEYS_UPLOAD, { device_keys: keys }, query);

    expectIs(whoami, ghost.userId, deviceId);
    ok(upload);
    const asked = { device_keys: { [ghost.userId]: [] } };
    const shown = await service.post(KEYS_QUERY, asked, query);
    const devices = at(ok(shown), "device_keys", ghost.userId);
    expectThat(isObject(devices), "the devices of the user in a query", devices, shown);
    expectEqual(Object.keys(devices), [deviceId], "the devices with keys", shown);
    expectEqual(at(devices, deviceId, "keys"), keys.keys, "the keys", shown);
  },
);

const TAKES_ANY = altersAnswer(
  "takes any device",
  { ...WHOAMI_REQUEST, status: 400 },
  { status: 200, body: {} },
);
const NO_SUCH_USER = altersAnswer(
  "gives another reason",
  { ...WHOAMI_REQUEST, status: 400 },
  { set: { "/errcode": "M_FORBIDDEN" } },
);

check(
  "MSC3861.as.masquerade-unknown",
  "an application service acts as no device that its user lacks",
  { mutant: [TAKES_ANY, NO_SUCH_USER] },
  async (world) => {
    const { service, ghost } = await ghostWithDevice(world);
    const other = await ghostWithDevice(world);

    for (const device_id of ["NOPE", other.deviceId]) {
      const response = await service.get(WHOAMI, { user_id: ghost.userId, device_id });
      expectMatrixError(response, 400, "M_UNKNOWN_DEVICE");
    }
  },
);

check(
  "MSC3861.as.no-device",
  "without a device an application service does nothing that needs one",
  {
    mutant: [
      altersAnswer(
        "takes the keys",
        { path: KEYS_UPLOAD },
        { status: 200, body: { one_time_key_counts: {} } },
      ),
      altersAnswer("breaks", { path: KEYS_UPLOAD }, { status: 500 }),
      altersAnswer("makes a device up", WHOAMI_REQUEST, { set: { "/device_id": "AS" } }),
    ],
  },
  async (world) => {
    const { service, ghost, deviceId } = await ghostWithDevice(world);
    const { keys } = makeDevice(sessionOf(world, ghost, deviceId));
    const query = { user_id: ghost.userId };

    const upload = await service.post(KEYS_UPLOAD, { device_keys: keys }, query);
    const whoami = await service.get(WHOAMI, query);

    const isRefused = upload.status >= 400 && upload.status < 500;
    expectThat(isRefused, "a status of 400 to 499", upload.status, upload);
    expectIs(whoami, ghost.userId, undefined);
  },
);

check(
  "MSC3861.as.masquerade-sender",
  "a device without a user is one of the application service's own user",
  {
    mutant: [
      TAKES_ANY,
      altersAnswer("does not look at the device", WHOAMI_REQUEST, { remove: ["/device_id"] }),
    ],
  },
  async (world) => {
    const { service, deviceId: foreign } = await ghostWithDevice(world);
    const own = world.name("DEVICE");
    const target = path`/_matrix/client/v3/devices/${own}`;
    expectStatus(await service.put(target, {}), [200, 201]);

    const asOwn = await service.get(WHOAMI, { device_id: own });
    const asForeign = await service.get(WHOAMI, { device_id: foreign });

    ok(await service.request("DELETE", target, { body: {} }));
    expectIs(asOwn, service.userId, own);
    expectMatrixError(asForeign, 400, "M_UNKNOWN_DEVICE");
  },
);

check(
  "MSC3861.as.masquerade-ignored",
  "a user's token stays that of its own device, whatever device the query names",
  {
    mutant: [
      altersAnswer("acts as another device", WHOAMI_REQUEST, { set: { "/device_id": "OTHER" } }),
      altersAnswer("refuses", WHOAMI_REQUEST, {
        status: 400,
        body: { errcode: "M_UNKNOWN_DEVICE", error: "no" },
      }),
    ],
  },
  async (world) => {
    const { session, person } = await signedIn(world);
    const other = await signedIn(world, "bob");

    for (const device_id of ["NOPE", other.session.deviceId]) {
      const response = await session.get(WHOAMI, { device_id });
      expectIs(response, person.userId, session.deviceId);
    }
  },
);
