import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { path } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { wokenBy } from "./polls.ts";
import { answers, answersInstead, inDialect } from "./sync.ts";
import { KEY, NOTE, notify, pageOf, receive, receiveUntil, request, tokenOf } from "./to-device.ts";

const EVENTS = "/extensions/to_device/events";
const NEXT = "/extensions/to_device/next_batch";
/** A limit by which mutants know the requests of a check's last act. */
const MARK = { limit: 77 };
const MARKED = { contains: '"limit":77' };

function note(text: string) {
  return { type: NOTE, sender: "@bob:hs1", content: { text } };
}

const LOSES = answers("loses messages", { set: { [EVENTS]: [] } });

check(
  "MSC3885.todevice.next-batch",
  "the server sends next_batch when there is nothing to send, too",
  {
    mutant: [
      answers("leaves next_batch out", { remove: [NEXT] }),
      answers("leaves the section out when it is empty", { remove: ["/extensions/to_device"] }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const connection = sync.connection(await world.user("alice"));

      const first = await connection.initial(request());
      const { next } = pageOf(first);
      const second = await connection.sync(request({ since: next }));

      for (const { extensions, http } of [first, second]) {
        const token = at(extensions, KEY, "next_batch");
        expectThat(typeof token === "string" && token !== "", "a next_batch", token, http);
      }
    });
  },
);

check(
  "MSC3885.todevice.limit",
  "the server sends the oldest messages up to the limit, and then the others",
  {
    mutant: [
      answers("pays no heed to the limit", {
        set: { [EVENTS]: ["1", "2", "3", "4", "5"].map(note) },
      }),
      answers("loses the oldest", { remove: [`${EVENTS}/0`] }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const connection = sync.connection(alice);
      const texts = ["1", "2", "3", "4", "5"];
      const since = await tokenOf(connection);
      await notify(bob, alice, texts);

      const pages = await receiveUntil(connection, "5", { since, limit: 3 });

      expectEqual(
        pages.flatMap((page) => page.texts),
        texts,
        "the messages",
      );
      for (const page of pages) {
        const { length } = page.texts;
        expectThat(length <= 3, "at most 3 messages in an answer", length, page.http);
      }
    });
  },
);

check(
  "MSC3885.todevice.replay-without-ack",
  "the server sends messages again until they are acknowledged, whatever the position",
  {
    mutant: answers(
      "takes the position for an acknowledgement",
      { set: { [EVENTS]: [] } },
      { contains: "pos=" },
    ),
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const since = await tokenOf(sync.connection(alice));
      const texts = ["1", "2", "3"];
      await notify(bob, alice, texts);
      const connection = sync.connection(alice);

      await connection.initial(request({ since }));
      const again = await receive(connection, { since });
      const withoutSince = await receive(connection);
      const anew = pageOf(await sync.connection(alice).initial(request({ since })));

      expectEqual(again.texts, texts, "the messages with the next pos", again.http);
      expectEqual(withoutSince.texts, texts, "the messages without since", withoutSince.http);
      expectEqual(anew.texts, texts, "the messages on a new connection", anew.http);
    });
  },
);

check(
  "MSC3885.todevice.ack-deletes",
  "the server forgets messages once they are acknowledged",
  {
    mutant: [
      answers("keeps what was acknowledged", { set: { [EVENTS]: [note("1"), note("3")] } }, MARKED),
      answers("forgets what was not acknowledged", { set: { [EVENTS]: [] } }, MARKED),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const connection = sync.connection(alice);
      const start = await tokenOf(connection);
      await notify(bob, alice, ["1"]);
      const first = await receive(connection, { since: start });
      await notify(bob, alice, ["2"]);
      const second = await receive(connection, { since: first.next });
      await receive(connection, { since: second.next });
      await notify(bob, alice, ["3"]);

      const older = await receive(connection, { since: first.next, ...MARK });
      const none = await receive(connection, MARK);

      expectEqual([first.texts, second.texts], [["1"], ["2"]], "the messages at first");
      expectEqual(older.texts, ["3"], "the messages with an older since", older.http);
      expectEqual(none.texts, ["3"], "the messages without since", none.http);
    });
  },
);

check(
  "MSC3885.todevice.exactly-once-conn-expiry",
  "the server neither loses nor repeats messages when a connection starts anew",
  {
    mutant: [
      answers("repeats them", { set: { [EVENTS]: ["3", "4", "5"].map(note) } }, MARKED),
      answers("loses them", { set: { [EVENTS]: [] } }, MARKED),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const connection = sync.connection(alice);
      const since = await tokenOf(connection);
      await notify(bob, alice, ["1", "2", "3", "4", "5"]);
      const first = await receive(connection, { since, limit: 3 });
      await receive(connection, { since: first.next, limit: 1 });

      const { texts, http } = pageOf(
        await connection.initial(request({ since: first.next, ...MARK })),
      );

      expectEqual(first.texts, ["1", "2", "3"], "the messages before", first.http);
      expectEqual(texts, ["4", "5"], "the messages on the new connection", http);
    });
  },
);

check(
  "MSC3885.todevice.wakes",
  "the server ends a poll when a to-device message arrives",
  { mutant: LOSES },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      await bob.createRoom();
      const connection = sync.connection(alice);
      const since = await tokenOf(connection);

      const answer = await wokenBy(sync, connection, request({ since }), "a message", () =>
        notify(bob, alice, ["hello"]),
      );

      expectEqual(pageOf(answer).texts, ["hello"], "the messages", answer.http);
    });
  },
);

check(
  "MSC3885.todevice.no-lists",
  "the server sends messages on a connection without lists and subscriptions",
  {
    mutant: [
      LOSES,
      answersInstead("asks for lists", 400, { errcode: "M_MISSING_PARAM", error: "" }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const connection = sync.connection(alice, "encryption");
      const since = await tokenOf(connection);
      await notify(bob, alice, ["1"]);
      const first = await receive(connection, { since });

      const poll = connection.sync(request({ since: first.next }), { timeoutMs: 10_000 });
      await notify(bob, alice, ["2"]);
      const second = await poll;
      const pages = pageOf(second).texts.length > 0 ? [] : await receiveUntil(connection, "2");

      const later = [pageOf(second), ...pages].flatMap(({ texts }) => texts);
      expectEqual([...first.texts, ...later], ["1", "2"], "the messages", second.http);
      expectEqual(Object.keys(second.rooms), [], "rooms", second.http);
    });
  },
);

check(
  "MSC3885.todevice.per-device",
  "the server sends each message as it is, to the devices that it is for, once",
  {
    mutant: [
      answers("repeats messages", { set: { [EVENTS]: ["1", "1", "2"].map(note) } }),
      answers("changes the content", { set: { [`${EVENTS}/*/content/more`]: 1 } }),
      answers("tells another sender", { set: { [`${EVENTS}/*/sender`]: "@mallory:hs1" } }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const second = await world.login(alice);
      const devices = [sync.connection(alice), sync.connection(second)] as const;
      const tokens = await Promise.all(devices.map(tokenOf));
      const content = { text: "1", nested: { list: [1, "two", null] } };
      const messages = { [alice.userId]: { [alice.deviceId]: content } };
      const transaction = path`/_matrix/client/v3/sendToDevice/${NOTE}/${world.name("txn")}`;

      for (let count = 0; count < 2; count++) ok(await bob.put(transaction, { messages }));
      await notify(bob, alice, ["2"], "*");
      const [ofFirst, ofSecond] = await Promise.all(
        devices.map((device, index) => device.sync(request({ since: tokens[index] }))),
      );

      const event = (sent: unknown) => ({ type: NOTE, sender: bob.userId, content: sent });
      const eventsOf = (answer: unknown) => listAt(answer, "extensions", KEY, "events");
      const toAll = event({ text: "2" });
      expectEqual(eventsOf(ofFirst), [event(content), toAll], "events of the first device");
      expectEqual(eventsOf(ofSecond), [toAll], "events of the second device");
    });
  },
);
