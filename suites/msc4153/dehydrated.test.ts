import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, eventsAt, isObject, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { query } from "./cross-signing.ts";
import {
  DEHYDRATED,
  type Dehydrated,
  dehydrate,
  EVENTS,
  eventsOf,
  makeDehydrated,
} from "./dehydrated.ts";
import { numbered, post } from "./mail.ts";

const PUT = { method: "PUT", path: DEHYDRATED };
const GET = { method: "GET", path: DEHYDRATED };
const DELETE = { method: "DELETE", path: DEHYDRATED };
const QUERY = { method: "POST", path: "/_matrix/client/v3/keys/query" };
const PAGES_AT_MOST = 10;

async function expectNone(session: Session): Promise<void> {
  expectMatrixError(await session.get(DEHYDRATED), 404, "M_NOT_FOUND");
}

async function expectThere(session: Session, { deviceId, body }: Dehydrated): Promise<void> {
  const response = await session.get(DEHYDRATED);
  const { device_data } = body;
  const expected = { device_id: deviceId, device_data };
  expectContains(ok(response), expected, "the dehydrated device", response);
}

/** Texts of all messages to a device, a page each. */
async function pagesOf(session: Session, deviceId: string): Promise<readonly unknown[][]> {
  const pages: unknown[][] = [];
  let from: string | undefined;
  let response: HttpResponse | undefined;
  for (let count = 0; count < PAGES_AT_MOST; count++) {
    response = await eventsOf(session, deviceId, from);
    const events = eventsAt(ok(response), "events");
    pages.push(events.map(({ content }) => content.text));
    if (at(response.json, "next_batch") === undefined) return pages;
    from = textAt(response.json, "next_batch");
  }
  fail(`a page without next_batch among ${PAGES_AT_MOST}`, JSON.stringify(pages), response);
}

check(
  "E2EE.dehydrated.put",
  "the server keeps a dehydrated device and shows its keys",
  {
    mutant: [
      altersAnswer("names another device", PUT, { set: { "/device_id": "OTHER" } }),
      altersAnswer("does not show it for dehydrated", QUERY, {
        remove: ["/device_keys/*/*/dehydrated"],
      }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const device = makeDehydrated(alice);

    const response = await dehydrate(alice, device);
    const shown = await query(alice, alice);

    expectContains(ok(response), { device_id: device.deviceId }, "the answer", response);
    await expectThere(alice, device);
    const keys = at(shown.json, "device_keys", alice.userId, device.deviceId);
    const { keys: expected, signatures } = device.body.device_keys as Record<string, object>;
    expectContains(
      keys,
      { keys: expected, signatures, dehydrated: true },
      "the device's keys",
      shown,
    );
  },
);

check(
  "E2EE.dehydrated.put",
  "the server refuses a dehydrated device without device keys",
  { mutant: altersAnswer("takes it", { ...PUT, status: 400 }, { status: 200, body: {} }) },
  async (world) => {
    const alice = await world.user("alice");
    const { device_keys: _, ...body } = makeDehydrated(alice).body;

    const response = await alice.put(DEHYDRATED, body);

    expectMatrixError(response, 400);
    await expectNone(alice);
  },
);

check(
  "E2EE.dehydrated.put",
  "the server takes a dehydrated device without what is optional",
  {
    mutant: altersAnswer(
      "asks for one-time keys",
      { ...PUT, contains: '"initial_device_display_name"' },
      { status: 400, body: { errcode: "M_MISSING_PARAM", error: "" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const device = makeDehydrated(alice);
    const { initial_device_display_name: _, ...unnamed } = device.body;
    const { fallback_keys: _keys, ...bare } = device.body;

    const answers = [await alice.put(DEHYDRATED, bare), await alice.put(DEHYDRATED, unnamed)];

    for (const response of answers) {
      expectContains(ok(response), { device_id: device.deviceId }, "the answer", response);
    }
  },
);

check(
  "E2EE.dehydrated.get-none",
  "the server says so when there is no dehydrated device",
  {
    mutant: altersAnswer(
      "makes one up",
      { ...GET, status: 404 },
      { status: 200, body: { device_id: "D", device_data: {} } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");

    await expectNone(alice);
    ok(await dehydrate(alice, makeDehydrated(alice)));
    ok(await alice.delete(DEHYDRATED));

    await expectNone(alice);
  },
);

check(
  "E2EE.dehydrated.replace",
  "the server forgets a dehydrated device and its messages when another one comes",
  {
    mutant: [
      altersAnswer(
        "keeps the messages of the old device",
        { path: EVENTS, status: [403, 404] },
        { status: 200, body: { events: [] } },
      ),
      altersAnswer("goes on showing the old device's keys", QUERY, {
        set: { "/device_keys/*/OLD": { user_id: "@alice:hs1" } },
      }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const [old, device] = [makeDehydrated(alice), makeDehydrated(alice)];
    ok(await dehydrate(alice, old));
    await post(bob, old, ["for the old one"]);

    ok(await dehydrate(alice, device));
    const shown = await query(alice, alice);
    const devices = await alice.get("/_matrix/client/v3/devices");
    const events = await eventsOf(alice, old.deviceId);

    await expectThere(alice, device);
    const keys = at(shown.json, "device_keys", alice.userId);
    expectEqual(Object.keys(isObject(keys) ? keys : {}), [device.deviceId], "devices", shown);
    expectThat(!devices.text.includes(old.deviceId), "no old device", devices.text, devices);
    expectMatrixError(events, 403, "M_FORBIDDEN");
    expectEqual(await pagesOf(alice, device.deviceId), [[]], "messages of the new device");
  },
);

check(
  "E2EE.dehydrated.put-atomic",
  "the server keeps a dehydrated device when it refuses another one",
  {
    mutant: altersAnswer(
      "forgets it",
      { ...GET, status: 200 },
      { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const device = makeDehydrated(alice);
    ok(await dehydrate(alice, device));
    await post(bob, device, ["1"]);
    const { device_keys: _, ...body } = makeDehydrated(alice).body;

    const response = await alice.put(DEHYDRATED, body);

    expectMatrixError(response, 400);
    await expectThere(alice, device);
    expectEqual(await pagesOf(alice, device.deviceId), [["1"]], "messages of the device");
  },
);

check(
  "E2EE.dehydrated.events",
  "the server gives the messages of a dehydrated device in pages, each once and in order",
  {
    mutant: [
      altersAnswer("loses a message", { path: EVENTS }, { remove: ["/events/0"] }),
      altersAnswer(
        "says that there is more for ever",
        { path: EVENTS },
        { set: { "/next_batch": "1" } },
      ),
      altersAnswer(
        "forgets to say that there is more",
        { path: EVENTS },
        { remove: ["/next_batch"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const device = makeDehydrated(alice);
    ok(await dehydrate(alice, device));
    await post(bob, device, numbered(130));

    const pages = await pagesOf(alice, device.deviceId);

    expectEqual(pages.flat(), numbered(130), "the messages");
  },
);

check(
  "E2EE.dehydrated.no-delete-on-read",
  "the server keeps messages of a dehydrated device that were read",
  {
    mutant: {
      name: "forgets what was read",
      rules: [
        {
          match: { path: EVENTS, contains: "from=" },
          phase: "processed",
          action: { kind: "rewrite", set: { "/events": [] } },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const device = makeDehydrated(alice);
    ok(await dehydrate(alice, device));
    const texts = numbered(110);
    await post(bob, device, texts);

    const first = await pagesOf(alice, device.deviceId);
    const second = await pagesOf(alice, device.deviceId);

    for (const pages of [first, second]) expectEqual(pages.flat(), texts, "the messages");
  },
);

check(
  "E2EE.dehydrated.wrong-id",
  "the server refuses to give messages of another device than the dehydrated one",
  {
    mutant: altersAnswer(
      "gives messages of any device",
      { path: EVENTS, status: 403 },
      { status: 200, body: { events: [] } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    ok(await dehydrate(alice, makeDehydrated(alice)));

    const answers = [await eventsOf(alice, "NOPE"), await eventsOf(alice, alice.deviceId)];

    for (const response of answers) expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);

check(
  "E2EE.dehydrated.delete",
  "the server deletes a dehydrated device for its user, without further authentication",
  {
    mutant: [
      claims("deletes nothing", DELETE, { device_id: "D" }),
      altersAnswer("asks for authentication", DELETE, {
        status: 401,
        body: { flows: [], params: {}, session: "session" },
      }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const device = makeDehydrated(alice);
    ok(await dehydrate(alice, device));

    const response = await alice.delete(DEHYDRATED);
    const shown = await query(alice, alice);

    expectContains(ok(response), { device_id: device.deviceId }, "the answer", response);
    await expectNone(alice);
    const keys = at(shown.json, "device_keys", alice.userId, device.deviceId);
    expectEqual(keys, undefined, "keys of the deleted device", shown);
  },
);

check(
  "E2EE.dehydrated.logout-survives",
  "the server keeps a dehydrated device when the device that made it logs out",
  {
    mutant: altersAnswer(
      "forgets it",
      { ...GET, status: 200 },
      { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const second = await world.login(alice);
    const device = makeDehydrated(alice);
    ok(await dehydrate(alice, device));

    expectStatus(await alice.post("/_matrix/client/v3/logout"), 200);

    await expectThere(second, device);
  },
);

check(
  "E2EE.dehydrated.logout-survives",
  "the server keeps no dehydrated device when all devices log out",
  {
    mutant: altersAnswer(
      "keeps it over a logout of all devices",
      { ...GET, status: 404 },
      { status: 200, body: { device_id: "D", device_data: {} } },
    ),
  },
  async (world) => {
    // An auth service ends its sessions, and the device is of none of them (MSC3861.revoke.dehydrated-device).
    if (!world.has("legacy-auth")) throw new Unsupported("legacy-auth");
    const alice = await world.user("alice");
    ok(await dehydrate(alice, makeDehydrated(alice)));

    expectStatus(await alice.post("/_matrix/client/v3/logout/all"), 200);

    await expectNone(await world.login(alice));
  },
);
