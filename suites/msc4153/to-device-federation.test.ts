import { at, isObject } from "#harness/match/json";
import { SEND } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { NUDGE } from "#harness/world/sharing";
import {
  collect,
  LOSES_FIRST,
  leftAfter,
  MAKES_ONE_UP,
  NOTE,
  numbered,
  post,
  SYNC,
  sendTo,
  textsIn,
} from "./mail.ts";

const EDU = "m.direct_to_device";
const MOST_EDUS = 100;

/** A message as another server sends it. */
function direct(sender: string, recipient: Session, text: string, device = recipient.deviceId) {
  return {
    edu_type: EDU,
    content: {
      sender,
      type: NOTE,
      message_id: `id-${text}`,
      messages: { [recipient.userId]: { [device]: { text } } },
    },
  };
}

function clientOf(peer: Peer, { server }: Session) {
  return peer.client(server.serverName);
}

check(
  "E2EE.todevice.fed-delivery",
  "the server sends a message to a user of another server with all that it needs there",
  {
    mutant: claims(
      "sends other servers no messages",
      { from: "hs1", to: "peer-*", path: SEND, contains: EDU },
      { pdus: {} },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const mallory = peer.user("mallory");
    const content = { text: "1", nested: [1, null, { deep: true }] };
    const messages = { [mallory]: { DEVICE: content, OTHER: { text: "2" } } };

    ok(await sendTo(alice, messages));
    const seen: Record<string, unknown> = {};
    const last = await peer.waitForEdu(EDU, (edu) => {
      const devices = at(edu.content, "messages", mallory);
      if (isObject(devices)) Object.assign(seen, devices);
      return "DEVICE" in seen && "OTHER" in seen;
    });

    expectEqual(seen, messages[mallory], "the messages");
    const { sender, type, message_id } = last.content;
    expectEqual([sender, type], [alice.userId, NOTE], "sender and type");
    const length = typeof message_id === "string" ? [...message_id].length : 0;
    expectThat(length > 0 && length <= 32, "a message_id of at most 32 code points", message_id);
  },
);

check(
  "E2EE.todevice.fed-dedup",
  "the server delivers a message of another server once, in however many transactions it comes",
  { mutant: [MAKES_ONE_UP, LOSES_FIRST] },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const since = await alice.syncToken();
    const client = clientOf(peer, alice);
    const once = direct(peer.user("mallory"), alice, "once");

    for (let count = 0; count < 2; count++) ok(await client.send([], [once]));
    ok(await client.send([], [direct(peer.user("mallory"), alice, "last")]));
    const { texts } = await collect(alice, since, "last");

    expectEqual(texts, ["once", "last"], "the messages");
  },
);

check(
  "E2EE.todevice.fed-spoof",
  "the server delivers no message in the name of a user of another server than the one that sends it",
  { mutant: MAKES_ONE_UP },
  async (world) => {
    const [[alice, bob], peer] = await Promise.all([world.users("alice", "bob"), world.peer()]);
    const since = await alice.syncToken();
    const client = clientOf(peer, alice);
    const forged = [bob.userId, "@charlie:other.example"].map((sender, index) =>
      direct(sender, alice, `forged ${index}`),
    );

    await client.send([], forged);
    ok(await client.send([], [direct(peer.user("mallory"), alice, "last")]));
    const { texts, since: after } = await collect(alice, since, "last");

    expectEqual(texts, ["last"], "the messages");
    expectEqual(await leftAfter(bob, alice, after), [], "messages that came later");
  },
);

check(
  "E2EE.todevice.fed-order",
  "the server sends what has waited for another server in the order in which it came",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: altersAnswer("changes the order", SYNC, {
      replace: [
        ['"text":"7"', '"text":"kept"'],
        ['"text":"8"', '"text":"7"'],
        ['"text":"kept"', '"text":"8"'],
      ],
    }),
  },
  async (world) => {
    const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
    const since = await bob.syncToken();
    const cut = await world.fault({ from: "hs1", to: "hs2" }, "before", { kind: "reset" });
    const texts = numbered(120);

    await post(alice, bob, texts);
    await cut.end();
    // A server that is waiting before it tries again may do so until there is more to send.
    await world.eventually(async () => {
      await post(alice, bob, [NUDGE]);
      const come = textsIn(await bob.sync({ since, timeoutMs: 1000 }));
      expectThat(come.length > 0, "messages to come after the split", come);
    });
    await post(alice, bob, ["last"]);
    const delivery = await collect(bob, since, "last");

    const told = delivery.texts.filter((text) => text !== NUDGE);
    expectEqual(told, [...texts, "last"], "the messages");
  },
);

check(
  "E2EE.todevice.worker-batch",
  "the server delivers a large batch of another server to all devices that sync meanwhile",
  { mutant: [LOSES_FIRST, MAKES_ONE_UP] },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const devices = [alice, await world.login(alice), await world.login(alice)];
    const tokens = await Promise.all(devices.map((device) => device.syncToken()));
    const [client, mallory] = [clientOf(peer, alice), peer.user("mallory")];
    const edus = numbered(150).map((text) => direct(mallory, alice, text, "*"));

    const deliveries = devices.map((device, index) => collect(device, tokens[index], "149"));
    for (let at = 0; at < edus.length; at += MOST_EDUS)
      ok(await client.send([], edus.slice(at, at + MOST_EDUS)));
    const delivered = await Promise.all(deliveries);

    for (const [index, { texts, since }] of delivered.entries()) {
      expectEqual([...texts], numbered(150), `the messages to device ${index}`);
      const device = devices[index];
      if (device === undefined) continue;
      ok(await client.send([], [direct(mallory, device, `last ${index}`)]));
      const later = await collect(device, since, `last ${index}`);
      expectEqual(later.texts, [`last ${index}`], "messages that came later");
    }
  },
);
