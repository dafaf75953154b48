import { eventsAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import {
  collect,
  LOSES_FIRST,
  leftAfter,
  MAKES_ONE_UP,
  NOTE,
  numbered,
  post,
  SEND_TO_DEVICE,
  SYNC,
  sendTo,
  textsIn,
  unanswered,
} from "./mail.ts";

const EVENTS = "/to_device/events";

check(
  "E2EE.todevice.exactly-once",
  "the server delivers each of many messages once, over several answers",
  { mutant: [LOSES_FIRST, MAKES_ONE_UP] },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await alice.syncToken();
    const texts = numbered(230);
    await post(bob, alice, texts);

    const delivery = await collect(alice, since, "229");
    const left = await leftAfter(bob, alice, delivery.since);

    expectEqual([...delivery.texts].sort(), [...texts].sort(), "the messages");
    expectEqual(left, [], "messages after all were acknowledged");
  },
);

check(
  "E2EE.todevice.order",
  "the server delivers messages in the order in which each sender sent them",
  {
    mutant: altersAnswer("changes the order", SYNC, {
      replace: [
        ['"text":"one 3"', '"text":"kept"'],
        ['"text":"one 4"', '"text":"one 3"'],
        ['"text":"kept"', '"text":"one 4"'],
      ],
    }),
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const since = await alice.syncToken();
    const texts = (name: string) => numbered(20).map((number) => `${name} ${number}`);

    await Promise.all([post(bob, alice, texts("one")), post(charlie, alice, texts("two"))]);
    await post(bob, alice, ["last"]);
    const { texts: seen } = await collect(alice, since, "last");

    for (const name of ["one", "two"]) {
      const ofSender = seen.filter((text) => String(text).startsWith(name));
      expectEqual(ofSender, texts(name), `the messages of sender ${name}`);
    }
  },
);

check(
  "E2EE.todevice.no-ack-no-delete",
  "the server delivers messages again until they are acknowledged",
  {
    mutant: altersAnswer(
      "forgets what it has sent once",
      { ...SYNC, contains: "timeout=1" },
      { remove: ["/to_device"] },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await alice.syncToken();
    await post(bob, alice, ["1", "2", "3"]);

    const first = await alice.sync({ since });
    // Another timeout, so that no cached answer comes.
    const second = await alice.sync({ since, timeoutMs: 1 });
    await post(bob, alice, ["4"]);
    const third = await alice.sync({ since, timeoutMs: 1 });

    for (const body of [first, second, third]) {
      expectEqual(textsIn(body).slice(0, 3), ["1", "2", "3"], "the messages");
    }
    const more = textsIn(third).slice(3);
    expectThat(more.length === 0 || more[0] === "4", "nothing but what came later", more);
  },
);

check(
  "E2EE.todevice.batch-limit",
  "the server spreads a large queue over several answers",
  {
    mutant: altersAnswer("sends all at once", SYNC, {
      set: {
        [EVENTS]: numbered(230).map((text) => ({
          type: NOTE,
          sender: "@bob:hs1",
          content: { text },
        })),
      },
    }),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await alice.syncToken();
    await post(bob, alice, numbered(230));

    const { pages, texts } = await collect(alice, since, "229");

    const sizes = pages.map((page) => page.length);
    expectEqual(texts.length, 230, "the number of messages");
    expectThat(sizes.length > 1, "several answers", sizes);
    if (sizes[0] !== 100)
      world.note(`answers have ${sizes.join(", ")} messages; 100 is recommended`);
  },
);

check(
  "E2EE.todevice.txn-idempotent",
  "the server does a request once that comes again after its answer was lost",
  { mutant: [MAKES_ONE_UP, LOSES_FIRST] },
  async (world) => {
    const { alice, bob, since, sendAgain } = await unanswered(world);

    await sendAgain();
    await sendAgain();
    await post(bob, alice, ["last"]);
    const { texts } = await collect(alice, since, "last");

    expectEqual(texts, ["once", "last"], "the messages");
  },
);

check(
  "E2EE.todevice.wildcard",
  "the server delivers a message for * to all devices of a user",
  {
    mutant: [
      altersRequest(
        "delivers it to one device",
        { ...SEND_TO_DEVICE, contains: '"*"' },
        { replace: [['"*"', '"DEVICE"']] },
      ),
      altersAnswer("delivers it twice", SYNC, {
        replace: [['"text":"last"', '"text":"for all"']],
      }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const devices = [alice, await world.login(alice), await world.login(alice)];
    const tokens = await Promise.all(devices.map((device) => device.syncToken()));

    ok(await sendTo(bob, { [alice.userId]: { "*": { text: "for all" } } }));
    ok(await sendTo(bob, { [alice.userId]: { "*": { text: "last" } } }));
    const deliveries = await Promise.all(
      devices.map((device, index) => collect(device, tokens[index], "last")),
    );

    for (const { texts } of deliveries) expectEqual(texts, ["for all", "last"], "the messages");
  },
);

check(
  "E2EE.todevice.wildcard",
  "the server delivers a message for * to all devices of a user of another server",
  {
    mutant: claims(
      "tells the other server of one device",
      {
        from: "hs1",
        to: "hs2",
        path: "/_matrix/federation/v1/send/*",
        contains: "to all of",
      },
      { pdus: {} },
    ),
  },
  async (world) => {
    const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
    const devices = [bob, await world.login(bob)];
    const tokens = await Promise.all(devices.map((device) => device.syncToken()));
    const text = `to all of ${bob.userId}`;

    ok(await sendTo(alice, { [bob.userId]: { "*": { text } } }));
    ok(await sendTo(alice, { [bob.userId]: { "*": { text: "last" } } }));
    const deliveries = await Promise.all(
      devices.map((device, index) => collect(device, tokens[index], "last")),
    );

    for (const { texts } of deliveries) expectEqual(texts, [text, "last"], "the messages");
  },
);

check(
  "E2EE.todevice.sender",
  "the server names who sent a message, whatever the message says",
  {
    mutant: [
      altersAnswer("believes the content", SYNC, {
        set: { [`${EVENTS}/*/sender`]: "@mallory:hs1" },
      }),
      altersAnswer("takes the type from the content", SYNC, {
        set: { [`${EVENTS}/*/type`]: "org.example.other" },
      }),
      altersAnswer("changes the content", SYNC, {
        remove: [`${EVENTS}/*/content/more`],
      }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const since = await alice.syncToken();
    const content = {
      text: "1",
      sender: charlie.userId,
      type: "org.example.other",
      more: { nested: [1, null, "text"] },
    };

    ok(await sendTo(bob, { [alice.userId]: { [alice.deviceId]: content } }));
    const { found } = await alice.syncUntil(since, "the message", (body) =>
      eventsAt(body, "to_device", "events").at(0),
    );

    expectEqual(found, { type: NOTE, sender: bob.userId, content }, "the message");
  },
);

check(
  "E2EE.todevice.unknown-target",
  "the server delivers to those it knows when others in the request are unknown",
  {
    mutant: [
      altersAnswer("refuses the whole request", SEND_TO_DEVICE, {
        status: 404,
        body: { errcode: "M_NOT_FOUND", error: "" },
      }),
      LOSES_FIRST,
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await alice.syncToken();
    const nobody = `@${world.name("nobody")}:${alice.server.serverName}`;
    const content = { text: "1" };

    const response = await sendTo(bob, {
      [nobody]: { DEVICE: content },
      [alice.userId]: { NOSUCHDEVICE: content, [alice.deviceId]: content },
    });
    await post(bob, alice, ["last"]);
    const { texts } = await collect(alice, since, "last");

    expectEqual(ok(response), {}, "the answer", response);
    expectEqual(texts, ["1", "last"], "the messages");
  },
);

check(
  "E2EE.todevice.size",
  "the server refuses a message that is too large, or delivers the whole of it",
  {
    mutant: altersAnswer(
      "takes what it does not deliver",
      { ...SEND_TO_DEVICE, status: 413 },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await alice.syncToken();
    const text = "x".repeat(70_000);

    const response = await sendTo(bob, { [alice.userId]: { [alice.deviceId]: { text } } });
    const { status } = response;
    await post(bob, alice, ["last"]);
    const { texts } = await collect(alice, since, "last");

    const whole = texts.map((seen) => seen === text);
    if (status === 200) expectEqual(whole, [true, false], "whether each message came whole");
    else {
      expectThat(status >= 400 && status < 500, "200 or 4xx", String(status), response);
      expectEqual(texts, ["last"], "the messages");
      if (status !== 413) world.note(`a message of 70 kB is refused with ${status}, not 413`);
    }
  },
);

check(
  "E2EE.todevice.deleted-device-purge",
  "the server delivers nothing of a deleted device to a new one of the same id",
  { mutant: MAKES_ONE_UP },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const device = await world.login(alice, { device_id: "REUSED" });
    await device.syncToken();
    await post(bob, device, ["old"]);

    expectStatus(await device.post("/_matrix/client/v3/logout"), 200);
    const again = await world.login(alice, { device_id: "REUSED" });
    const left = await leftAfter(bob, again, undefined);

    expectEqual(left, [], "messages of the device that was deleted");
  },
);

check(
  "E2EE.todevice.no-leak-between-devices",
  "the server shows a message to the device that it is for alone",
  { mutant: MAKES_ONE_UP },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const second = await world.login(alice);
    const [since, secondSince] = await Promise.all([alice.syncToken(), second.syncToken()]);

    await post(bob, alice, ["for the first"]);
    const ofSecond = await leftAfter(bob, second, secondSince);
    const ofFirst = await leftAfter(bob, alice, since);

    expectEqual(ofSecond, [], "messages of the second device");
    expectEqual(ofFirst, ["for the first"], "messages of the first device");
  },
);
