/** For a spec: faults of who may read and of Olm sessions, in steps 1 to 4. */
import type { JsonObject } from "#harness/match/json";
import {
  C,
  CLAIM,
  HELLO,
  notYet,
  QUERY,
  type Seeded,
  SYNC,
  said,
  unsigned,
  without,
} from "./scene.ts";

export const AT_ENDS: Readonly<Record<string, Seeded>> = {
  "the reader was out of the room": {
    root: "expected.not-member",
    step: 1,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.session(bob).leave(room);
      const { eventId: event } = await alice.send(room, HELLO);
      await scene.session(alice).invite(room, scene.session(bob));
      await scene.session(bob).join(room);
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader's device is of later": {
    root: "expected.device-historical",
    step: 1,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      const { eventId: event } = await alice.send(room, HELLO);
      const later = await scene.second(bob);
      await later.syncOnce();
      return { event, reader: later };
    },
  },
  "the sender was told of too few members": {
    root: "missing-key.sender-stale-membership",
    step: 1,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer({ method: "GET", path: `${C}/rooms/*/members` }, (answer) => ({
        chunk: (answer.chunk as JsonObject[]).filter(({ state_key }) => state_key !== bob.userId),
      }));
      return said(alice, room, bob);
    },
  },
  "the reader joined between the look and the event": {
    root: "missing-key.membership-race",
    step: 1,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      const bob = await scene.client(await scene.world.user("bob"));
      const room = await scene.room(alice);
      const open = { join_rule: "public" };
      await scene.session(alice).setState(room, "m.room.join_rules", open);
      const members = { method: "GET", path: `${C}/rooms/*/members` };
      const gate = await scene.rule(members, "processed", { kind: "gate" });
      const sending = alice.send(room, HELLO);
      await scene.world.eventually(async () => {
        if ((await gate.fired()) === 0) throw notYet("the answer is held");
      });
      await scene.session(bob).join(room);
      await gate.release();
      const { eventId: event } = await sending;
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the news of a device was taken out of a sync": {
    root: "devicelist.stale",
    step: 2,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await alice.send(room, HELLO);
      await scene.answer(SYNC, ({ device_lists, ...rest }) =>
        device_lists === undefined ? undefined : rest,
      );
      const later = await scene.second(bob);
      await alice.syncOnce();
      return said(alice, room, later);
    },
  },
  "a device was taken out of the answer to a query": {
    root: "devicelist.stale",
    step: 2,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await alice.send(room, HELLO);
      const later = await scene.second(bob);
      await scene.answer(QUERY, (answer) => without(answer, bob.userId, later.deviceId));
      await alice.syncOnce();
      return said(alice, room, later);
    },
  },
  "a device came without a sync in between": {
    root: "devicelist.race",
    step: 2,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await alice.send(room, HELLO);
      const later = await scene.second(bob);
      return said(alice, room, later);
    },
  },
  "the reader is not signed": {
    root: "withheld.unverified",
    step: 3,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { isUnsigned: true } });
      return said(alice, room, bob);
    },
  },
  "the reader's signature was taken out of the answer to a query": {
    root: "devicelist.stale",
    step: 3,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      const bob = await scene.client(await scene.world.user("bob"));
      await scene.answer(QUERY, (answer) => unsigned(answer, bob.userId));
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "the reader's signature was taken out on its way up": {
    root: "withheld.unverified",
    step: 3,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      await scene.rule({ method: "POST", path: `${C}/keys/signatures/upload` }, "before", {
        kind: "answer",
        status: 200,
        body: { failures: {} },
      });
      const bob = await scene.client(await scene.world.user("bob"));
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "the reader is blacklisted": {
    root: "withheld.blacklisted",
    step: 3,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({
        alice: { policy: { share: "all", read: "untrusted" } },
      });
      await alice.trust(bob.userId, bob.deviceId, "blacklisted");
      return said(alice, room, bob);
    },
  },
  "the answer to a claim was emptied": {
    root: "withheld.no-olm",
    step: 4,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer(CLAIM, () => ({ one_time_keys: {}, failures: {} }));
      return said(alice, room, bob);
    },
  },
  "the reader's keys did not come to the server": {
    root: "olm.no-otk",
    step: 4,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      const upload = { method: "POST", path: `${C}/keys/upload` };
      const remove = ["/one_time_keys", "/fallback_keys"];
      const full = { "/one_time_key_counts": { signed_curve25519: 50 } };
      await scene.rule(upload, "before", { kind: "rewrite", remove });
      await scene.rule(upload, "processed", { kind: "rewrite", set: full });
      const bob = await scene.client(await scene.world.user("bob"));
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "a claim's answer was given twice": {
    root: "olm.otk-reused",
    step: 4,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      const carol = await scene.client(await scene.world.user("carol"));
      const other = await scene.room(carol, bob);
      let first: JsonObject | undefined;
      await scene.answer(CLAIM, (answer) => {
        first ??= answer;
        return first;
      });
      await carol.send(other, HELLO);
      await bob.syncOnce();
      return said(alice, room, bob);
    },
  },
  "the reader's store was set back to before its keys": {
    root: "olm.otk-desync",
    step: 4,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      const before = await bob.snapshot();
      const carol = await scene.world.user("carol");
      const claim = { one_time_keys: { [bob.userId]: { [bob.deviceId]: "signed_curve25519" } } };
      await Promise.all(Array.from({ length: 50 }, () => carol.post(`${C}/keys/claim`, claim)));
      await bob.syncOnce();
      await bob.restore(before);
      const { eventId: event } = await alice.send(room, HELLO);
      // It takes in what came, and then is refused new keys: the server has others under these ids.
      await bob.syncOnce().catch((error: unknown) => {
        if (!String(error).includes("already exists")) throw error;
      });
      return { event, reader: bob };
    },
  },
};
