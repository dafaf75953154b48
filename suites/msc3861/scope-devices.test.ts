import { API_SCOPE, DEVICE_SCOPE, deviceScope, devicesIn } from "#harness/clients/oauth/scopes";
import { deviceName, signIn } from "#harness/clients/oauth/sign-in";
import { at, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { asksFor, grantsAndServes, WHOAMI_REQUEST } from "./mutants.ts";
import { DEVICES, stage, WHOAMI } from "./people.ts";
import { deviceIds, granted, grantsDevices } from "./scope-grants.ts";

function listsDevice(name: string, id: string) {
  return altersAnswer(name, { path: DEVICES }, { set: { "/devices/-": { device_id: id } } });
}

check(
  "MSC3861.scope.device",
  "the device scope binds the tokens to that device",
  {
    mutant: [
      altersAnswer("has no device", WHOAMI_REQUEST, { remove: ["/device_id"] }),
      altersAnswer("does not list it", { path: DEVICES }, { set: { "/devices": [] } }),
    ],
  },
  async (world) => {
    const deviceId = deviceName(world);
    const { session } = await signIn(world, await world.account("alice"), { deviceId });

    const whoami = await session.get(WHOAMI);
    const devices = await session.get(DEVICES);

    expectEqual(ok(whoami).device_id, deviceId, "device_id", whoami);
    const ids = listAt(ok(devices), "devices").map((device) => at(device, "device_id"));
    expectThat(ids.includes(deviceId), `${deviceId} listed`, ids, devices);
  },
);

check(
  "MSC3861.scope.exactly-one-device",
  "the server makes no session without a device",
  { mutant: grantsAndServes("makes one", { user_id: "@claimed:hs1" }) },
  async (world) => {
    const here = await stage(world);

    const tokens = await granted(world, here, API_SCOPE);

    if (tokens === undefined) return world.note("the server refuses");
    const whoami = await tokens.session.get(WHOAMI);
    const deviceId = textAt(ok(whoami), "device_id");
    expectEqual(devicesIn(tokens.scope), [deviceId], "devices of the granted scope", whoami);
  },
);

check(
  "MSC3861.scope.two-devices",
  "the server binds no tokens to two devices",
  {
    mutant: grantsDevices("grants both", "DEVICE-first DEVICE-second"),
  },
  async (world) => {
    const here = await stage(world);
    const [first, second] = [deviceName(world), deviceName(world)];

    const tokens = await granted(world, here, `${deviceScope(first)} ${DEVICE_SCOPE}${second}`);

    if (tokens === undefined) return world.note("the server refuses");
    const devices = devicesIn(tokens.scope);
    expectThat(devices.length <= 1, "one device at most in the granted scope", devices);
    const whoami = await tokens.session.get(WHOAMI);
    expectEqual(ok(whoami).device_id, devices[0], "device_id", whoami);
  },
);

check(
  "MSC3861.scope.two-devices-homeserver",
  "the homeserver refuses a token of two devices",
  {
    mutant: altersAnswer(
      "takes it",
      { ...WHOAMI_REQUEST, status: [400, 401, 403, 500] },
      { status: 200, body: { user_id: "@claimed:hs1" } },
    ),
  },
  async (world) => {
    const tokens = await signIn(world, await world.account("alice"));
    const both = `${tokens.scope} ${DEVICE_SCOPE}${deviceName(world)}`;
    const rule = await world.fault(
      { from: "hs1", to: "as1", method: "POST", contains: tokens.accessToken },
      "processed",
      { kind: "rewrite", set: { "/scope": both } },
    );

    const response = await tokens.session.get(WHOAMI);

    await rule.end();
    expectThat(response.status >= 400, "a refusal", response.status, response);
    if (response.status >= 500) world.note(`refused with ${response.status}`);
  },
);

check(
  "MSC3861.scope.device-without-api",
  "a device without the API scope is not made",
  {
    mutant: altersAnswer(
      "makes it",
      { path: DEVICES },
      {
        set: { "/devices/-": { device_id: "DEVICE-claimed" } },
      },
    ),
  },
  async (world) => {
    const here = await stage(world);

    const tokens = await granted(world, here, `${DEVICE_SCOPE}DEVICE-claimed`);

    await tokens?.session.get(WHOAMI);
    const ids = await deviceIds(world, here);
    expectThat(!ids.includes("DEVICE-claimed"), "no such device", ids);
  },
);

check(
  "MSC3861.scope.mixed-prefix",
  "the server binds no tokens to two devices by names of two kinds",
  { mutant: grantsAndServes("takes the tokens for both", { user_id: "@claimed:hs1" }) },
  async (world) => {
    const here = await stage(world);
    const [first, second] = [deviceName(world), deviceName(world)];
    const unstable = `urn:matrix:org.matrix.msc2967.client:device:${second}`;

    const tokens = await granted(world, here, `${deviceScope(first)} ${unstable}`);

    if (tokens === undefined) return world.note("the server refuses");
    const isLeftOut = !tokens.scope.includes(first) || !tokens.scope.includes(second);
    expectThat(isLeftOut, "one of the devices left out", tokens.scope);
    const whoami = await tokens.session.get(WHOAMI);
    const { device_id } = ok(whoami);
    expectThat(tokens.scope.includes(String(device_id)), "the other's id", device_id, whoami);
  },
);

const ODD_IDS = ['DEVICE"quoted', "DEVICE\\slashed", "DEVICE\u0001control", "DEVICE-Ä-long"];

check(
  "MSC3861.scope.device-charset",
  "the server makes no device whose id is outside of the grammar",
  { mutant: listsDevice("makes it", ODD_IDS[0] ?? "") },
  async (world) => {
    const here = await stage(world);

    for (const id of ODD_IDS) {
      const tokens = await granted(world, here, deviceScope(id));
      await tokens?.session.get(WHOAMI);
    }

    const ids = await deviceIds(world, here);
    const odd = ids.filter((id) => ODD_IDS.includes(String(id)));
    expectEqual(odd, [], "devices with such ids");
  },
);

check(
  "MSC3861.scope.device-short",
  "the server does not break on a short device id, or one with other characters",
  {
    mutant: altersAnswer(
      "breaks",
      { method: "GET", contains: "response_type=" },
      { status: 500, headers: { location: null } },
    ),
  },
  async (world) => {
    const here = await stage(world);

    for (const id of ["ABC", "DEVICE!ID-12"]) {
      const tokens = await granted(world, here, deviceScope(id));

      world.note(`${id}: ${tokens === undefined ? "refused" : "granted"}`);
    }
  },
);

check(
  "MSC3861.scope.device-ten-unreserved",
  "the server takes ids of ten unreserved characters as they are",
  {
    mutant: [
      asksFor("refuses them", ["device%3A", "device%3A%22"]),
      altersAnswer("changes them", WHOAMI_REQUEST, { set: { "/device_id": "abcdefgh01" } }),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");

    for (const deviceId of ["abcdefGH01", "-._~A1b2C3"]) {
      const { session } = await signIn(world, alice, { deviceId });
      const whoami = await session.get(WHOAMI);

      expectEqual(ok(whoami).device_id, deviceId, "device_id", whoami);
    }
  },
);

check(
  "MSC3861.scope.device-long",
  "the server makes no session on an overlong device id",
  { mutant: grantsAndServes("makes one", { user_id: "@claimed:hs1", device_id: "D" }) },
  async (world) => {
    const here = await stage(world);

    const tokens = await granted(world, here, deviceScope("D".repeat(512)));

    if (tokens === undefined) return world.note("the server refuses");
    const { status } = await tokens.session.get(WHOAMI);
    expectThat(status >= 400 && status < 500, "a status of 400 to 499", status);
  },
);
