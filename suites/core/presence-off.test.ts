import { path } from "#harness/http/client";
import { eventsAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
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
    const target = path`/_matrix/client/v3/presence/${alice.userId}/status`;
    ok(await alice.put(target, { presence: "online" }));
    const until = (presence: string, since: string | undefined, mark: string) =>
      bob.syncUntil(
        since,
        `presence ${presence} of ${alice.userId}`,
        (body) =>
          eventsAt(body, "presence", "events").find(
            ({ sender, content }) => sender === alice.userId && content.presence === presence,
          ),
        { query: { "org.example.mark": mark, set_presence: "offline" } },
      );
    const { since } = await until("online", undefined, "before");

    const ended = await world.restartWith("no-presence");

    expectEqual(ended, undefined, "how the server ended instead of serving");
    await until("offline", since, "after");
  },
);
