import { check, type Mutant } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { collect, MAKES_ONE_UP, numbered, post, SYNC, textsIn, unanswered } from "./mail.ts";

const DEADLINE_MS = 120_000;
const FEDERATION_SEND = "/_matrix/federation/v1/send/*";

check(
  "E2EE.todevice.no-ack-restart",
  "the server delivers messages again that were not acknowledged when it died",
  {
    isolated: {},
    deadlineMs: DEADLINE_MS,
    mutant: altersAnswer(
      "forgets messages at its death",
      { ...SYNC, contains: "timeout=1" },
      { remove: ["/to_device/events/0"] },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await alice.syncToken();
    const texts = numbered(120);
    await post(bob, alice, texts);
    const first = await alice.sync({ since });

    await world.killAndRestart(alice.server.role);
    const again = await alice.sync({ since, timeoutMs: 1 });
    const rest = await collect(alice, again.next_batch, "119");

    expectEqual(textsIn(again), textsIn(first), "the first messages again");
    expectEqual([...textsIn(again), ...rest.texts], texts, "all messages");
  },
);

check(
  "E2EE.todevice.txn-idempotent-restart",
  "the server delivers a message that comes again after its death",
  {
    isolated: {},
    deadlineMs: DEADLINE_MS,
    mutant: altersAnswer("delivers something else", SYNC, {
      replace: [['"text":"once"', '"text":"other"']],
    }),
  },
  async (world) => {
    const texts = await sentAgainAfterDeath(world);

    expectEqual([...new Set(texts)], ["once", "last"], "the messages, each counted once");
  },
);

check(
  "E2EE.todevice.txn-idempotent-restart",
  "the server knows a request again that it has done before its death",
  { isolated: {}, deadlineMs: DEADLINE_MS, mutant: MAKES_ONE_UP },
  async (world) => {
    const texts = await sentAgainAfterDeath(world);

    expectEqual(texts, ["once", "last"], "the messages");
  },
);

async function sentAgainAfterDeath(world: World): Promise<readonly unknown[]> {
  const { alice, bob, since, sendAgain } = await unanswered(world);

  await world.killAndRestart(alice.server.role);
  await sendAgain();
  await post(bob, alice, ["last"]);
  return (await collect(alice, since, "last")).texts;
}

/** A server that takes what others send it and forgets it at its death. */
function acknowledgesTooEarly(contains: string): Mutant {
  return claims(
    "acknowledges what it has not stored",
    { from: "hs1", to: "hs2", path: FEDERATION_SEND, contains },
    { pdus: {} },
  );
}

check(
  "E2EE.todevice.fed-ack-after-persist",
  "the server has what it acknowledged to another server when it dies at once",
  { isolated: {}, deadlineMs: DEADLINE_MS, mutant: acknowledgesTooEarly('"text":"kept') },
  async (world) => {
    const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
    const since = await bob.syncToken();
    const killed = await world.fault(
      { from: "hs1", to: "hs2", path: FEDERATION_SEND, contains: '"text":"kept' },
      "after",
      { kind: "kill" },
      1,
    );
    await post(alice, bob, ["kept"]);

    await world.eventually(async () => expectEqual(await killed.fired(), 1, "deaths of hs2"));
    await world.actOnServer("hs2", "restart");
    await post(alice, bob, ["last"]);
    const { texts } = await collect(bob, since, "last");

    expectEqual(texts, ["kept", "last"], "the messages");
  },
);

check(
  "E2EE.todevice.fed-retry",
  "the server keeps messages for another server that it can not reach, over its own death",
  { isolated: {}, deadlineMs: DEADLINE_MS, mutant: acknowledgesTooEarly('"text":"kept') },
  async (world) => {
    const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
    const since = await bob.syncToken();
    const cut = await world.fault({ from: "hs1", to: "hs2" }, "before", { kind: "reset" });
    await post(alice, bob, ["kept 0", "kept 1", "kept 2"]);
    await world.eventually(async () => {
      const tried = await cut.fired();
      expectEqual(tried > 0, true, "an attempt to deliver");
    });

    await world.killAndRestart();
    await cut.end();
    await post(alice, bob, ["last"]);
    const { texts } = await collect(bob, since, "last");

    expectEqual(texts, ["kept 0", "kept 1", "kept 2", "last"], "the messages");
  },
);
