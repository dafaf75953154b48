/** For a spec: faults of messages on their way, and of what comes of them, in steps 5 to 10. */
import type { JsonObject } from "#harness/match/json";
import {
  arrived,
  EVENT,
  HELLO,
  notYet,
  opened,
  PUT,
  QUERY,
  type Seeded,
  SYNC,
  said,
  unsigned,
} from "./scene.ts";

export const ON_THE_WAY: Readonly<Record<string, Seeded>> = {
  "the message was answered in the server's place": {
    root: "todevice.lost-upstream",
    step: 5,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(PUT, "before", { kind: "answer", status: 200 });
      return said(alice, room, bob);
    },
  },
  "the message was taken out of the request": {
    root: "todevice.lost-upstream",
    step: 5,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(PUT, "before", { kind: "rewrite", set: { "/messages": {} } });
      return said(alice, room, bob);
    },
  },
  "the message was changed in the request": {
    root: "tampering",
    step: 5,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(PUT, "before", {
        kind: "rewrite",
        set: { "/messages/*/*/ciphertext/*/body": "AwogAAAA" },
      });
      return said(alice, room, bob);
    },
  },
  "the transaction was answered in the other server's place": {
    root: "todevice.lost-federation",
    step: 6,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bobOn: "hs2" });
      const match = {
        from: "hs1",
        to: "hs2",
        method: "PUT",
        path: "/_matrix/federation/v1/send/*",
        contains: "m.direct_to_device",
      };
      const rule = await scene.link(match, "before", {
        kind: "answer",
        status: 200,
        body: { pdus: {} },
      });
      const { eventId: event } = await alice.send(room, HELLO);
      await scene.world.eventually(async () => {
        if ((await rule.fired()) === 0) throw notYet("the rule acts");
      });
      await arrived(scene, bob, room, event);
      return { event, reader: bob };
    },
  },
  "the server lost it from its database": {
    root: "todevice.lost-server",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      const { eventId: event } = await alice.send(room, HELLO);
      using database = opened(scene.databases.get("hs1"));
      database.prepare("DELETE FROM device_inbox WHERE user_id = ?").run(bob.userId);
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the other server lost it from its database": {
    root: "todevice.lost-server",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bobOn: "hs2" });
      const { eventId: event } = await alice.send(room, HELLO);
      using database = opened(scene.databases.get("hs2"));
      const lose = database.prepare("DELETE FROM device_inbox WHERE user_id = ?");
      await scene.world.eventually(() => {
        if (lose.run(bob.userId).changes === 0) throw notYet("the message comes to hs2");
      });
      await arrived(scene, bob, room, event);
      return { event, reader: bob };
    },
  },
  "the messages were taken out of the reader's sync": {
    root: "todevice.lost-downstream",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer(SYNC, ({ to_device, ...rest }) =>
        to_device === undefined ? undefined : rest,
      );
      return said(alice, room, bob);
    },
  },
  "the message was changed in the reader's sync": {
    root: "tampering",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(SYNC, "processed", {
        kind: "rewrite",
        set: { "/to_device/events/*/content/ciphertext/*/body": "AwogAAAA" },
      });
      return said(alice, room, bob);
    },
  },
  "the reader has not synced": {
    root: "todevice.late",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      return said(alice, room, bob, { sync: false });
    },
  },
  "another loop of the same device took the message": {
    root: "todevice.stolen",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await bob.syncOnce();
      const { eventId: event } = await alice.send(room, HELLO);
      const thief = scene.session(bob);
      const { next_batch: since } = await thief.sync();
      await thief.sync({ since });
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader acknowledged and died before it took the message in": {
    root: "todevice.acked-not-processed",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      await bob.syncOnce();
      const { eventId: event } = await alice.send(room, HELLO);
      await bob.syncOnce(0, { acknowledgesEarly: true, diesAt: "got" }).catch(() => undefined);
      await bob.start();
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader's store was set back to before the message": {
    root: "todevice.acked-not-processed",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      const before = await bob.snapshot();
      const { eventId: event } = await alice.send(room, HELLO);
      await bob.syncOnce();
      await bob.syncOnce();
      await bob.restore(before);
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader's store was set back to before the Olm session": {
    root: "olm.wedged",
    step: 8,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      const before = await bob.snapshot();
      await alice.send(room, HELLO);
      await bob.syncOnce();
      await bob.send(room, HELLO);
      await alice.syncOnce();
      await bob.restore(before);
      await alice.rotate(room);
      return said(alice, room, bob);
    },
  },
  "the event was changed on its way to the reader": {
    root: "tampering",
    step: 9,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer(EVENT, (answer) => {
        const content = { ...(answer.content as JsonObject) };
        const text = String(content.ciphertext);
        content.ciphertext = `${text.slice(0, -4)}${text.endsWith("AAAA") ? "BBBB" : "AAAA"}`;
        return { ...answer, content };
      });
      return said(alice, room, bob);
    },
  },
  "the sender's device is not signed": {
    root: "trust.unsigned-device",
    step: 10,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({
        alice: { isUnsigned: true, policy: { share: "all", read: "untrusted" } },
      });
      return said(alice, room, bob);
    },
  },
  "the sender's signature was taken out of all answers": {
    root: "devicelist.stale",
    step: 10,
    act: async (scene) => {
      const policy = { share: "all", read: "untrusted" } as const;
      const alice = await scene.client(await scene.world.user("alice"), { policy });
      const bob = await scene.client(await scene.world.user("bob"));
      await scene.answer(QUERY, (answer) => unsigned(answer, alice.userId));
      await alice.bootstrapIdentity({ reset: true });
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "the sender has a new identity since it was verified": {
    root: "trust.verification-violation",
    step: 10,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await bob.syncOnce();
      await bob.verify(alice, "local-sign");
      // The signature comes back with the next answer about her.
      await bob.syncOnce();
      await alice.bootstrapIdentity({ reset: true });
      await bob.syncOnce();
      return said(alice, room, bob);
    },
  },
  "the event names another sender": {
    root: "trust.mismatched-sender",
    step: 10,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await bob.syncOnce();
      await scene.answer(EVENT, (answer) => ({ ...answer, sender: bob.userId }));
      return said(alice, room, bob);
    },
  },
};
