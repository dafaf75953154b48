import { type HttpResponse, path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ROOM } from "./rooms.ts";

const EVENT = `${ROOM}/report/*`;
const ROOM_REPORT = `${ROOM}/report`;
const USER = "/_matrix/client/v3/users/*/report";
const NOT_FOUND = { status: 404, body: { errcode: "M_NOT_FOUND", error: "no" } };

function reportEvent(session: Session, roomId: string, eventId: string, reason: unknown) {
  return session.post(path`/_matrix/client/v3/rooms/${roomId}/report/${eventId}`, { reason });
}

check(
  "CS.report.flow",
  "the server takes a member's report of an event",
  { mutant: altersAnswer("refuses it", { path: EVENT }, NOT_FOUND) },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const eventId = await alice.send(roomId, "unpleasant");

    const response = await reportEvent(bob, roomId, eventId, "makes me sad");

    ok(response);
  },
);

check(
  "CS.report.flow",
  "the server takes reports of a room from members and others alike",
  {
    mutant: [
      altersAnswer(
        "listens to members only",
        { path: ROOM_REPORT, contains: "from outside" },
        NOT_FOUND,
      ),
      altersAnswer(
        "refuses members",
        { path: ROOM_REPORT, contains: "from inside" },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
    ],
  },
  async (world) => {
    world.needs("v1.13");
    const [alice, bob] = await world.users("alice", "bob");
    const [open, closed] = await Promise.all([
      alice.createRoom({ preset: "public_chat" }),
      alice.createRoom({ preset: "private_chat" }),
    ]);
    const reportRoom = (session: Session, roomId: string, reason: string) =>
      session.post(path`/_matrix/client/v3/rooms/${roomId}/report`, { reason });

    const byMember = await reportRoom(alice, closed, "from inside");
    const ofOpen = await reportRoom(bob, open, "from outside");
    const ofClosed = await reportRoom(bob, closed, "from outside");

    ok(byMember);
    ok(ofOpen);
    ok(ofClosed);
  },
);

check(
  "CS.report.flow",
  "the server takes a report of a user with whom the reporter shares no room",
  { mutant: altersAnswer("wants a shared room", { path: USER }, NOT_FOUND) },
  async (world) => {
    world.needs("v1.14");
    const [alice, bob] = await world.users("alice", "bob");

    const response = await bob.post(path`/_matrix/client/v3/users/${alice.userId}/report`, {
      reason: "makes me sad",
    });

    ok(response);
  },
);

/**
 * The refusal of an outsider's report. A 200 would accept it, unless the server answers 200 whatever exists.
 *
 * @param ofUnknown the answer to the outsider's report of an event that does not exist.
 */
function expectRefused(world: World, response: HttpResponse, ofUnknown: HttpResponse): void {
  if (ofUnknown.status === 200 && response.status === 200) {
    world.note("all reports of events by outsiders answer 200: what exists is hidden");
  } else {
    expectMatrixError(response, 404, "M_NOT_FOUND");
  }
}

check(
  "CS.report.errors",
  "the server refuses a report of an event by a user who never was in its room",
  {
    mutant: [
      altersAnswer(
        "takes it from strangers",
        { path: EVENT, contains: "stranger" },
        { status: 200, body: {} },
      ),
      altersAnswer("fails", { path: EVENT }, { status: 500 }),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const eventId = await alice.send(roomId, "private matters");

    const response = await reportEvent(mallory, roomId, eventId, "by a stranger");
    const ofUnknown = await reportEvent(mallory, roomId, "$unknown", "no such event");

    expectRefused(world, response, ofUnknown);
  },
);

check(
  "CS.report.errors",
  "the server refuses a report of an event by a user who has left its room",
  {
    mutant: altersAnswer(
      "takes it from former members",
      { path: EVENT, contains: "former member" },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const eventId = await alice.send(roomId, "unpleasant");
    await bob.leave(roomId);

    const response = await reportEvent(bob, roomId, eventId, "by a former member");
    const ofUnknown = await reportEvent(bob, roomId, "$unknown", "no such event");

    expectRefused(world, response, ofUnknown);
  },
);

check(
  "CS.report.errors",
  "the server refuses a report of an unknown event or hides that it is one",
  { mutant: altersAnswer("fails", { path: EVENT }, { status: 500 }) },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ preset: "public_chat" });

    const response = await reportEvent(alice, roomId, "$unknown", "no such event");

    if (response.status === 200) world.note("a report of an unknown event answers 200");
    else expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

check(
  "CS.report.errors",
  "the server refuses a reason that is no string",
  {
    mutant: [
      claims("takes a number", { path: EVENT, contains: '"reason":5' }, {}),
      altersAnswer("fails", { path: EVENT }, { status: 500 }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const eventId = await alice.send(roomId, "unpleasant");

    const response = await reportEvent(alice, roomId, eventId, 5);

    expectMatrixError(response, 400);
  },
);
