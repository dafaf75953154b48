import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { answers, inDialect } from "./sync.ts";
import { NOTE, notify, receiveUntil, request, tokenOf } from "./to-device.ts";

const REPEATS = answers("sends a message twice", {
  set: { "/extensions/to_device/events/-": { type: NOTE, sender: "@a:b", content: { text: "0" } } },
});

check(
  "MSC3885.todevice.restart-durability",
  "the server keeps messages that were not acknowledged when it dies",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: answers("forgets a message", { remove: ["/extensions/to_device/events/0"] }),
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const connection = sync.connection(alice);
      const since = await tokenOf(connection);
      const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
      await notify(bob, alice, texts);
      await connection.sync(request({ since }));

      await world.killAndRestart(alice.server.role);
      const pages = await receiveUntil(sync.connection(alice), "49", { since });

      expectEqual(
        pages.flatMap((page) => page.texts),
        texts,
        "the messages",
      );
    });
  },
);

check(
  "MSC3885.todevice.federation",
  "the server sends a message of another server once, however often that one delivers it",
  { mutant: REPEATS },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      const mallory = peer.user("mallory");
      await peer.join(roomId, mallory, { via: alice.server.serverName });
      const connection = sync.connection(alice);
      const since = await tokenOf(connection);
      const message = (text: string) => ({
        edu_type: "m.direct_to_device",
        content: {
          sender: mallory,
          type: NOTE,
          message_id: `id-${text}`,
          messages: { [alice.userId]: { [alice.deviceId]: { text } } },
        },
      });
      const client = peer.client(alice.server.serverName);
      const transaction = path`/_matrix/federation/v1/send/${world.name("txn")}`;
      const body = {
        origin: peer.serverName,
        origin_server_ts: Date.now(),
        pdus: [],
        edus: [message("once")],
      };

      for (let count = 0; count < 2; count++) await client.request("PUT", transaction, { body });
      await client.send([], [message("once")]);
      await client.send([], [message("last")]);
      const pages = await receiveUntil(connection, "last", { since });

      expectEqual(
        pages.flatMap((page) => page.texts),
        ["once", "last"],
        "the messages",
      );
    });
  },
);
