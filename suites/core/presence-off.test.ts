import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { statusOf, untilPresence } from "./presence.ts";
import { SYNC } from "./syncs.ts";

check(
  "CS.presence.switched-off",
  "the server tells that nobody is online any more once presence has been switched off",
  {
    isolated: {},
    deadlineMs: 150_000,
    mutant: altersAnswer(
      "keeps it to itself",
      { path: SYNC, contains: "mark=after" },
      { set: { "/presence": { events: [] } } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    ok(await alice.put(statusOf(alice), { presence: "online" }));
    const since = await untilPresence(bob, undefined, alice, { presence: "online" }, "before");

    const ended = await world.restartWith("no-presence");

    expectEqual(ended, undefined, "how the server ended instead of serving");
    await untilPresence(bob, since, alice, { presence: "offline" }, "after");
  },
);
