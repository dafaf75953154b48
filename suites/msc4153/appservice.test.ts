import { makeDevice } from "#harness/clients/identities";
import { at, isObject, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import { KEYS_UPLOAD, query } from "./cross-signing.ts";

const WHOAMI = "/_matrix/client/v3/account/whoami";

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
    const { asToken, prefix, senderLocalpart } = world.deployment.appservice;
    const { serverName } = world.server();
    const localpart = world.name(`${prefix}ghost`);
    const account = { userId: `@${localpart}:${serverName}`, localpart, password: "" };
    const service = world.session(
      "hs1",
      { ...account, userId: `@${senderLocalpart}:${serverName}` },
      { accessToken: asToken, deviceId: "" },
    );
    const registered = await service.post("/_matrix/client/v3/register", {
      type: "m.login.application_service",
      username: localpart,
    });
    const deviceId = textAt(ok(registered), "device_id");
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
