import { makeDevice } from "#harness/clients/identities";
import { path } from "#harness/http/client";
import { at, isObject, textAt } from "#harness/match/json";
import { appservice, newGhost } from "#harness/world/appservice";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Account } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { KEYS_UPLOAD, query } from "./cross-signing.ts";

const WHOAMI = "/_matrix/client/v3/account/whoami";

/** A device of the service's user: by login, or where an auth service has the logins, made by the service (MSC4190). */
async function deviceOf(world: World, { localpart, userId }: Account): Promise<string> {
  const service = appservice(world);
  if (!world.has("legacy-auth")) {
    const deviceId = world.name("GHOST");
    const target = path`/_matrix/client/v3/devices/${deviceId}`;
    expectStatus(await service.put(target, {}, { user_id: userId }), [200, 201]);
    return deviceId;
  }
  const login = await service.post("/_matrix/client/v3/login", {
    type: "m.login.application_service",
    identifier: { type: "m.id.user", user: localpart },
  });
  return textAt(ok(login), "device_id");
}

check(
  "E2EE.appservice.masquerade",
  "an application service acts as a device of its user, and as no device that the user lacks",
  {
    mutant: [
      altersAnswer(
        "does not look at the device",
        { path: WHOAMI },
        { set: { "/device_id": "AS" } },
      ),
      altersAnswer(
        "takes any device",
        { path: WHOAMI, status: 400 },
        { status: 200, body: { user_id: "@ghost:hs1", device_id: "NOSUCHDEVICE" } },
      ),
      altersRequest("loses the keys", { path: KEYS_UPLOAD, contains: "device_keys" }, { body: {} }),
    ],
  },
  async (world) => {
    const service = appservice(world);
    const account = await newGhost(world);
    const deviceId = await deviceOf(world, account);
    const { asToken } = world.deployment.appservice;
    const as = (device: string) => ({ user_id: account.userId, device_id: device });
    const ghost = world.session("hs1", account, { accessToken: asToken, deviceId });
    const device = makeDevice(ghost);

    const own = await service.get(WHOAMI, as(deviceId));
    const unknown = await service.get(WHOAMI, as("NOSUCHDEVICE"));
    const upload = await service.post(KEYS_UPLOAD, { device_keys: device.keys }, as(deviceId));
    const other = await service.post(KEYS_UPLOAD, { device_keys: device.keys }, as("NOSUCHDEVICE"));
    const shown = await query(await world.user("alice"), ghost);

    expectEqual(ok(own).device_id, deviceId, "device_id of whoami", own);
    expectEqual(ok(own).user_id, account.userId, "user_id of whoami", own);
    expectMatrixError(unknown, 400, "M_UNKNOWN_DEVICE");
    ok(upload);
    expectMatrixError(other, 400, "M_UNKNOWN_DEVICE");
    const devices = at(ok(shown), "device_keys", account.userId);
    expectThat(isObject(devices), "the devices of the user in a query", devices, shown);
    expectEqual(Object.keys(devices), [deviceId], "the devices with keys", shown);
    expectEqual(at(devices, deviceId, "keys"), device.keys.keys, "the keys", shown);
  },
);
