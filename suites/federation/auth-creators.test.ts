import { path } from "#harness/http/client";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { LEVELS } from "./levels.ts";

function lets(name: string, action: "kick" | "ban"): Mutant {
  const match = { path: `/_matrix/client/v3/rooms/*/${action}`, status: 403 };
  return altersAnswer(name, match, { status: 200, body: {} });
}

check(
  "FED.auth.creator-infinite",
  "the server sets creators of version 12 above every admin, and none of them above another",
  {
    mutant: [
      lets("lets admins kick creators", "kick"),
      lets("lets admins ban creators", "ban"),
      altersAnswer(
        "lets creators kick nobody of the greatest level",
        { path: "/_matrix/client/v3/rooms/*/kick", status: 200 },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } },
      ),
    ],
  },
  async (world) => {
    world.needs("room-version:12");
    const [alice, bob, charlie, dora] = await Promise.all([
      world.user("alice"),
      world.user("bob", "hs2"),
      world.user("charlie", "hs2"),
      world.user("dora"),
    ]);
    const roomId = await alice.createRoom({
      preset: "public_chat",
      room_version: "12",
      creation_content: { additional_creators: [bob.userId] },
    });
    for (const user of [bob, charlie, dora]) await user.join(roomId, alice);
    const levels = (await alice.state(roomId, LEVELS)) ?? {};
    const most = Number.MAX_SAFE_INTEGER;
    const users = { [charlie.userId]: most, [dora.userId]: most };
    const set = await alice.setState(roomId, LEVELS, { ...levels, users });
    for (const user of [bob, charlie, dora]) await user.syncUntilEvent(undefined, roomId, set);
    const act = (user: Session, action: "kick" | "ban", target: Session) =>
      user.post(path`/_matrix/client/v3/rooms/${roomId}/${action}`, { user_id: target.userId });

    const refused = [
      await act(charlie, "kick", alice),
      await act(charlie, "ban", bob),
      await act(dora, "kick", bob),
      await act(dora, "ban", alice),
      await act(alice, "kick", bob),
      await act(bob, "ban", alice),
    ];
    ok(await act(alice, "kick", charlie));
    ok(await act(bob, "kick", dora));

    for (const response of refused) expectMatrixError(response, 403, "M_FORBIDDEN");
    for (const creator of [alice, bob]) {
      const member = await creator.state(roomId, "m.room.member", creator.userId);
      expectEqual(member?.membership, "join", `the membership of ${creator.userId}`);
    }
  },
);
