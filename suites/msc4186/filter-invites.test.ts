import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { ENCRYPTION } from "./filters.ts";
import { answers, inEachDialect, reads } from "./sync.ts";

function listOf(isEncrypted: boolean): SlidingRequest {
  return allRooms({ timelineLimit: 1, filters: { isEncrypted } });
}

check(
  "MSC4186.filter.is-encrypted-invite",
  "the server takes an invite for encrypted when its stripped state says so, and says the same later",
  {
    mutant: [
      reads("does not know the filter", [['"is_encrypted"', '"x_is_encrypted"']]),
      answers("finds no encrypted invites", { set: { "/rooms": {}, "/lists/*/count": 0 } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const founder = peer.user("founder");
      const encryption = { type: "m.room.encryption", stateKey: "", content: ENCRYPTION };
      const [encrypted, plain] = [
        peer.createRoom({ creator: founder, events: [encryption] }),
        peer.createRoom({ creator: founder }),
      ];
      const live = [true, false].map((isEncrypted) => {
        const connection = sync.connection(alice, `encrypted-${isEncrypted}`);
        return { connection, request: listOf(isEncrypted) };
      });
      for (const { connection, request } of live) await connection.initial(request);
      const all = sync.connection(alice, "all");
      await all.initial(allRooms({ timelineLimit: 1 }));

      for (const room of [encrypted, plain]) {
        await peer.invite(room, founder, alice.userId);
        await all.until(
          allRooms({ timelineLimit: 1 }),
          "the invite",
          ({ rooms }) => Object.hasOwn(rooms, room.roomId) || undefined,
        );
      }

      const found: string[][] = [];
      for (const { connection, request } of live) {
        const { counts, http } = await connection.drain(request);
        const fresh = await sync.connection(alice).initial(request);
        const ids = Object.keys(fresh.rooms).sort();
        const told = [...connection.view.rooms.keys()].sort();
        expectEqual(told, ids, "the rooms of a connection that was there before", http);
        expectEqual(fresh.counts, { all: ids.length }, "the counts of a fresh one", fresh.http);
        if (counts.all !== undefined) expectEqual(counts, fresh.counts, "its counts", http);
        found.push(ids);
      }
      const [inEncrypted = [], inPlain = []] = found;
      expectEqual(inEncrypted, [encrypted.roomId], "the encrypted invites");
      expectThat(!inPlain.includes(encrypted.roomId), "the invite in one list only", inPlain);
      const where = inPlain.includes(plain.roomId) ? "the unencrypted ones" : "neither list";
      world.note(`an invite without an encryption event is in ${where}`);
    });
  },
);

check(
  "MSC4186.filter.is-encrypted-invite",
  "the server finds an encrypted invite in a first request that asks for encrypted rooms",
  {
    mutant: [
      reads("does not know the filter", [['"is_encrypted"', '"x_is_encrypted"']]),
      answers("finds no encrypted invites", { set: { "/rooms": {}, "/lists/*/count": 0 } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, peer] = await Promise.all([
        world.user("alice"),
        world.user("bob"),
        world.peer(),
      ]);
      const founder = peer.user("founder");
      const encryption = { type: "m.room.encryption", stateKey: "", content: ENCRYPTION };
      const remote = peer.createRoom({ creator: founder, events: [encryption] });
      const initialState = [{ type: encryption.type, state_key: "", content: ENCRYPTION }];

      await peer.invite(remote, founder, alice.userId);
      const local = await bob.createRoom({ invite: [alice.userId], initial_state: initialState });
      await bob.createRoom({ invite: [alice.userId] });
      const answer = await sync.connection(alice).initial(listOf(true));

      const invites = [remote.roomId, local].sort();
      expectEqual(Object.keys(answer.rooms).sort(), invites, "the encrypted invites", answer.http);
    });
  },
);
