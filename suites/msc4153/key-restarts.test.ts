import { removeDevice } from "#harness/clients/confirmation";
/** What a server still knows of keys after it was killed. */
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  ALGORITHM,
  addKeys,
  CLAIM,
  type Claimed,
  claim,
  claimAll,
  claimed,
  claimName,
  expectDifferent,
  expectNothingFor,
  gives,
  inPlaceOf,
  names,
  owned,
  publishKeys,
  syncs,
  UNUSED,
} from "./keys.ts";

const OWN_SERVER = { isolated: {}, deadlineMs: 120_000 };
/** Claims after the restart carry it, by which mutants tell them from those before. */
const LATER = { timeout: 9_876 };
const LATER_TEXT = "9876";

check(
  "E2EE.claim.unique-across-kill",
  "the server gives no key out twice although it was killed while it gave them out",
  {
    ...OWN_SERVER,
    mutant: gives("begins again after its death", "K00", names("K", 60).slice(1), {
      contains: LATER_TEXT,
    }),
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 60), "F");
    const carol = await world.user("carol");
    const given: Claimed[] = [];
    let lost = 0;
    const take = async (index: number) => {
      const response = await claim(index % 2 === 0 ? bob : carol, alice);
      const key = response.status === 200 ? claimed(response, alice) : undefined;
      if (key !== undefined) given.push(key);
    };

    const claims = Array.from({ length: 40 }, (_, index) =>
      take(index).catch(() => {
        lost++;
      }),
    );
    await world.eventually(() =>
      expectThat(given.length >= 3, "three claims that were answered", given.length),
    );
    await world.actOnServer("hs1", "kill");
    await Promise.all(claims);
    await world.actOnServer("hs1", "restart");
    const rest = await claimAll(bob, alice, LATER);

    const all = [...given, ...rest].filter(({ isFallback }) => !isFallback);
    expectDifferent(all);
    expectThat(rest.length >= 2, "two keys at least for after the restart", rest.length);
    world.note(`${lost} claims got no answer, ${60 - all.length} keys went with them`);
  },
);

check(
  "E2EE.claim.upload-order-restart",
  "the server keeps the order of uploads over its death",
  {
    ...OWN_SERVER,
    mutant: [
      gives("begins with the last upload", "A00", ["Z01", "Z02", "Z03", "Z04"]),
      altersAnswer(
        "orders by name after its death",
        { ...CLAIM, contains: LATER_TEXT },
        { replace: [...inPlaceOf(names("Z", 5), "A00")] },
      ),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("Z", 5));
    await world.killAndRestart();
    await addKeys(alice, names("A", 5));

    const before = [await claimName(bob, alice), await claimName(bob, alice)];
    await world.killAndRestart();
    const after = (await claimAll(bob, alice, LATER)).map(({ name }) => name);

    const given = [...before, ...after];
    expectEqual(given.slice(0, 5).sort(), names("Z", 5), "the keys that are given out first");
    expectEqual(given.slice(5).sort(), names("A", 5), "those that come after them");
  },
);

check(
  "E2EE.claim.fallback-used-durable",
  "the server knows after its death that a fallback key was given out",
  { ...OWN_SERVER, mutant: syncs("has forgotten it", { set: { [UNUSED]: [ALGORITHM] } }) },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"], "F");
    const since = await alice.session.syncToken();
    await claimAll(bob, alice);

    await world.killAndRestart();
    const body = await alice.session.sync({ since });

    expectEqual(at(body, "device_unused_fallback_key_types"), [], "the unused fallback keys");
  },
);

check(
  "E2EE.claim.fallback-durable",
  "the server has the fallback key after its death, and after further one-time keys were used up",
  {
    ...OWN_SERVER,
    mutant: altersAnswer(
      "has lost it",
      { ...CLAIM, contains: LATER_TEXT },
      { set: { "/one_time_keys": {} } },
    ),
  },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"], "F");
    await claimAll(bob, alice);
    await addKeys(alice, ["K01"]);
    const added = await claimAll(bob, alice);

    await world.killAndRestart();
    const key = claimed(await claim(bob, alice, LATER), alice);

    expectEqual(added.length, 1, "the number of further one-time keys");
    expectEqual([key?.name, key?.isFallback], ["F", true], "the key after the restart");
  },
);

check(
  "E2EE.claim.deleted-device",
  "the server gives out no keys of a deleted device after its death",
  {
    ...OWN_SERVER,
    mutant: altersAnswer("gives them out", CLAIM, {
      set: { "/one_time_keys": { "@alice:hs1": { GONE: { [`${ALGORITHM}:K00`]: {} } } } },
    }),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const owner = await publishKeys(await world.login(alice), names("K", 3), "F");

    await removeDevice(alice, owner.session.deviceId);
    await world.killAndRestart();
    const response = await claim(bob, owner);

    ok(response);
    expectNothingFor(response);
  },
);
