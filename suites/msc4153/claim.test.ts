import { removeDevice } from "#harness/clients/confirmation";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  ALGORITHM,
  addKeys,
  CLAIM,
  COUNT,
  claim,
  claimAll,
  claimed,
  count,
  expectDifferent,
  expectNothingFor,
  gives,
  KEYS_CLAIM,
  names,
  owned,
  publishKeys,
  syncs,
  UPLOAD,
  wanted,
} from "./keys.ts";

const COUNTS = `/one_time_key_counts/${ALGORITHM}`;

check(
  "E2EE.claim.unique",
  "the server gives each one-time key out once, however many claim at once",
  { mutant: gives("gives one out twice", "K00", ["K01"]) },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 50), "F");
    const claimers = [bob, ...(await world.users("carol", "dave"))];

    const responses = await Promise.all(
      Array.from({ length: 60 }, (_, index) => claim(claimers[index % 3] ?? bob, alice)),
    );

    const keys = responses.map((response) => claimed(response, alice));
    expectDifferent(keys.filter((key) => key?.isFallback === false));
    expectThat(keys.every(Boolean), "a key in each answer", keys.filter((key) => !key).length);
  },
);

check(
  "E2EE.claim.lost-response",
  "the server gives another key out when the answer to a claim was lost",
  {
    mutant: [
      altersAnswer(
        "counts the lost key as there",
        { ...UPLOAD, contains: "{}" },
        { set: { [COUNTS]: 4 } },
      ),
      gives("gives one out twice", "K04", ["K03"]),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 5));
    const match = { ...CLAIM, check: bob.context.check };
    const lost = await world.fault(match, "processed", { kind: "reset" }, 1);

    await claim(bob, alice).catch(() => undefined);
    await lost.end();
    const next = claimed(await claim(bob, alice), alice);
    const left = await count(alice.session);
    const rest = await claimAll(bob, alice);

    expectThat(next !== undefined, "a key in the answer to the second claim", next);
    expectEqual(left, 3, "the count after both claims");
    expectEqual(rest.length, 3, "the number of keys that are left");
    expectDifferent([next, ...rest]);
  },
);

check(
  "E2EE.claim.upload-order",
  "the server gives keys out in the order of their uploads",
  {
    mutant: [
      gives("gives a later one out first", "A00", ["Z00"]),
      gives("gives an earlier one out last", "Z01", ["A01"]),
    ],
  },
  async (world) => {
    // An order by name would be the other one.
    const { alice, bob } = await owned(world, names("Z", 5));
    await addKeys(alice, names("A", 5));

    const keys = (await claimAll(bob, alice)).map(({ name }) => name);

    expectEqual(keys.slice(0, 5).sort(), names("Z", 5), "the keys that are given out first");
    expectEqual(keys.slice(5).sort(), names("A", 5), "those that come after them");
  },
);

check(
  "E2EE.claim.otk-preferred",
  "the server gives a one-time key out as long as there is one",
  {
    mutant: [
      gives("gives the fallback key out at once", "F", ["K00"]),
      altersAnswer("calls a one-time key a fallback key", CLAIM, {
        set: { "/one_time_keys/*/*/*/fallback": true },
      }),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"], "F");

    const first = claimed(await claim(bob, alice), alice);
    const second = claimed(await claim(bob, alice), alice);

    expectEqual([first?.name, first?.isFallback], ["K00", false], "the first key");
    expectEqual([second?.name, second?.isFallback], ["F", true], "the key after it");
  },
);

check(
  "E2EE.claim.unknown-device",
  "the server leaves out devices and users without keys, and gives the other keys",
  {
    mutant: [
      altersAnswer("fails for all", CLAIM, {
        status: 404,
        body: { errcode: "M_NOT_FOUND", error: "" },
      }),
      altersAnswer("calls it a failure", CLAIM, { set: { "/failures": { hs1: { status: 404 } } } }),
      altersAnswer("gives nothing", CLAIM, { set: { "/one_time_keys": {} } }),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"]);
    const { userId, deviceId, server } = alice.session;
    const unknown = `@${world.name("nobody")}:${server.serverName}`;

    const response = await bob.post(KEYS_CLAIM, {
      one_time_keys: {
        [userId]: { [deviceId]: ALGORITHM, NOSUCHDEVICE: ALGORITHM },
        [unknown]: { NOSUCHDEVICE: ALGORITHM },
      },
    });

    expectEqual(claimed(response, alice)?.name, "K00", "the key of the known device", response);
    expectEqual(at(response.json, "failures") ?? {}, {}, "failures", response);
    const given = at(response.json, "one_time_keys");
    expectEqual(at(given, userId, "NOSUCHDEVICE") ?? {}, {}, "keys of the unknown device");
    const ofUnknown = at(given, unknown);
    const devices = Object.values(isObject(ofUnknown) ? ofUnknown : {});
    for (const keys of devices) expectEqual(keys, {}, "keys of the unknown user", response);
  },
);

check(
  "E2EE.claim.deleted-device",
  "the server gives out no keys of a device that was logged out",
  {
    mutant: altersAnswer("gives them out", CLAIM, {
      set: { "/one_time_keys": { "@alice:hs1": { GONE: { [`${ALGORITHM}:K00`]: {} } } } },
    }),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const owner = await publishKeys(await world.login(alice), names("K", 3), "F");
    expectEqual(await count(owner.session), 3, "the count before the logout");

    ok(await owner.session.post("/_matrix/client/v3/logout"));
    const response = await claim(bob, owner);

    expectNothingFor(response);
  },
);

check(
  "E2EE.claim.deleted-device",
  "the server gives other servers no keys of a device that was deleted",
  {
    mutant: altersAnswer(
      "gives them out",
      { from: "peer-*", path: "/_matrix/federation/v1/user/keys/claim" },
      { set: { "/one_time_keys": { "@alice:hs1": { GONE: { [`${ALGORITHM}:K00`]: {} } } } } },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const owner = await publishKeys(await world.login(alice), names("K", 3), "F");
    expectEqual(await count(owner.session), 3, "the count before");

    await removeDevice(alice, owner.session.deviceId);
    const response = await peer.client().claimKeys(wanted(owner.session));

    expectNothingFor(response);
  },
);

check(
  "E2EE.claim.count-notify",
  "the server tells a lower count in the answer that a client waits for, or in the next",
  {
    mutant: [
      syncs("tells the former count", { set: { [COUNT]: 2 } }),
      syncs(
        "tells it in a first answer only",
        { remove: ["/device_one_time_keys_count"] },
        { contains: "since=" },
      ),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 2));
    const since = await alice.session.syncToken();

    const poll = alice.session.sync({ since, timeoutMs: 2_000 });
    await claim(bob, alice);
    const first = await poll;
    const counts = [at(first, "device_one_time_keys_count", ALGORITHM)];
    const next = await alice.session.sync({ since: first.next_batch, timeoutMs: 1 });
    counts.push(at(next, "device_one_time_keys_count", ALGORITHM));

    expectThat(counts.includes(1), "a count of 1 in one of both answers", counts);
  },
);
