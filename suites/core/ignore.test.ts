import { path } from "#harness/http/client";
import { at, eventsAt, isObject, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import { room, type Session, stateBefore, timeline } from "#harness/world/session";
import { texts } from "./rooms.ts";

const SYNC = "/_matrix/client/v3/sync";
const IGNORED = "/_matrix/client/v3/user/*/account_data/m.ignored_user_list";

async function ignore(session: Session, ignored: Session): Promise<void> {
  const target = path`/_matrix/client/v3/user/${session.userId}/account_data/m.ignored_user_list`;
  ok(await session.put(target, { ignored_users: { [ignored.userId]: {} } }));
}

/** All events of a joined room in a /sync body, state and timeline. */
function shown(body: JsonObject, roomId: string): readonly MatrixEvent[] {
  const after = eventsAt(room(body, "join", roomId), "state_after", "events");
  return [...stateBefore(body, roomId), ...after, ...timeline(body, roomId)];
}

check(
  "CS.ignore.effects",
  "the server leaves messages of an ignored user out of sync, but no state",
  {
    mutant: [
      altersRequest(
        "forgets who is ignored",
        { method: "PUT", path: IGNORED },
        { set: { "/ignored_users": {} } },
      ),
      altersAnswer(
        "leaves state out too",
        { path: SYNC },
        { replace: [['"m.room.member"', '"org.example.dropped"']] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(roomId), charlie.join(roomId)]);
    await ignore(alice, bob);
    const since = await alice.syncToken();

    await bob.send(roomId, "from bob");
    const nickname = { membership: "join", displayname: "Bob with a nickname" };
    await bob.setState(roomId, "m.room.member", nickname, bob.userId);
    const marker = await charlie.send(roomId, "from charlie");

    const { bodies } = await alice.syncUntilEvent(since, roomId, marker);
    const fresh = await alice.sync();
    for (const [what, events] of [
      ["the sync that went on", bodies.flatMap((body) => shown(body, roomId))],
      ["a new sync", shown(fresh, roomId)],
    ] as const) {
      expectEqual(texts(events), ["from charlie"], `the messages in ${what}`);
      const member = events.findLast(
        ({ type, state_key }) => type === "m.room.member" && state_key === bob.userId,
      );
      const name = member?.content.displayname;
      expectEqual(name, nickname.displayname, `the ignored user's name in ${what}`);
    }
  },
);

function invitesIn(body: JsonObject): readonly string[] {
  const invites = at(body, "rooms", "invite");
  return isObject(invites) ? Object.keys(invites) : [];
}

check(
  "CS.ignore.effects",
  "the server leaves invites of an ignored user out of sync, but no others",
  {
    mutant: [
      altersRequest(
        "forgets who is ignored",
        { method: "PUT", path: IGNORED },
        { set: { "/ignored_users": {} } },
      ),
      altersAnswer("shows no invites", { path: SYNC }, { remove: ["/rooms/invite"] }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const ofBob = await bob.createRoom({ preset: "private_chat" });
    const ofCharlie = await charlie.createRoom({ preset: "private_chat" });
    await ignore(alice, bob);
    const since = await alice.syncToken();

    const byBob = await bob.post(path`/_matrix/client/v3/rooms/${ofBob}/invite`, {
      user_id: alice.userId,
    });
    await charlie.invite(ofCharlie, alice);

    expectStatus(byBob, [200, 403]);
    const { bodies } = await alice.syncUntil(since, "charlie's invite", (body) =>
      room(body, "invite", ofCharlie),
    );
    const fresh = await alice.sync();
    expectEqual(bodies.flatMap(invitesIn), [ofCharlie], "the invites in the sync that went on");
    expectThat(invitesIn(fresh).includes(ofCharlie), "charlie's invite in a new sync", fresh);
    expectEqual(invitesIn(fresh), [ofCharlie], "the invites in a new sync");
  },
);
