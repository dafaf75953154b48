/** No answer gives away what its user may not see, for any config (P8 of the plan of properties). */
import type { SlidingResponse } from "#harness/clients/sliding-sync/response";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { answers, inEachDialect, type Sync } from "../sync.ts";
import { ALL, type Haunting, House, hauntings } from "./haunt.ts";
import { tryAll } from "./kept.ts";
import { search } from "./search.ts";
import type { Sights } from "./sights.ts";

/** Which rooms are judged. */
type Judged = (sights: Sights) => boolean;

const visited: Judged = ({ hasJoined }) => hasJoined;
const unvisited: Judged = ({ hasJoined, wasBanned }) => !hasJoined && !wasBanned;
const banned: Judged = ({ hasJoined, wasBanned }) => !hasJoined && wasBanned;

/** @param judged of the rooms, by what has happened in them so far */
async function expectNothingHidden(sync: Sync, story: Haunting, judged: Judged): Promise<void> {
  const house = await House.open(sync.world);
  const connection = sync.connection(house.reader, "story");
  for (const step of [...story, ALL]) {
    if (step.do !== "sync") {
      await house.act(step);
      continue;
    }
    const on = step.isFresh ? sync.connection(house.reader, "fresh") : connection;
    expectNoneOf(house, await on.sync(house.request(step)), judged);
  }
}

function expectNoneOf({ haunts }: House, { rooms }: SlidingResponse, judged: Judged): void {
  for (const { roomId, sights } of haunts) {
    const result = rooms[roomId];
    if (result === undefined || !judged(sights)) continue;
    const shown = JSON.stringify(result);
    const leaked = sights.hidden.filter((text) => shown.includes(text));
    expectEqual(leaked, [], `what the user may not see of ${roomId}, and is shown,`);
  }
}

/** An invite or a knock is told once; what others do in the room brings nothing on a connection that asks for the same after each step. */
async function expectSilence(sync: Sync, story: Haunting): Promise<void> {
  const house = await House.open(sync.world);
  const connection = sync.connection(house.reader);
  const request = house.request(ALL);
  const told = new Map<string, number>();
  for (const step of story) {
    if (step.do === "sync") continue;
    await house.act(step);
    const { rooms } = await connection.sync(request);
    for (const { roomId, sights } of house.haunts) {
      if (rooms[roomId] === undefined || !isPending(sights)) continue;
      const isNews = told.get(roomId) !== sights.moves;
      expectThat(isNews, `nothing of ${roomId} until the membership changes`, rooms[roomId]);
      told.set(roomId, sights.moves);
    }
  }
}

function isPending({ membership }: Sights): boolean {
  return membership === "invite" || membership === "knock";
}

/** Not of faults: what a server has to get right. */
const KEPT: Readonly<Record<string, Haunting>> = {
  "an absence": [
    { do: "show", room: 0, visibility: "joined" },
    { do: "say", room: 0 },
    { do: "join", room: 0 },
    { ...ALL, isFresh: false },
    { do: "leave", room: 0 },
    { do: "say", room: 0 },
    { do: "name", room: 0 },
    { do: "join", room: 0 },
    { ...ALL, isFresh: false },
  ],
  "a ban": [
    { do: "show", room: 1, visibility: "invited" },
    { do: "invite", room: 1 },
    { do: "say", room: 1 },
    { do: "join", room: 1 },
    { do: "ban", room: 1 },
    { do: "say", room: 1 },
    { do: "appear", room: 1 },
  ],
};

check(
  "MSC4186.sec.no-cross-user",
  "the server shows of rooms that the user was in nothing hidden from that user, in stories",
  {
    deadlineMs: 120_000,
    mutant: [
      {
        name: "takes a history for shared",
        rules: [
          {
            match: { path: "/_matrix/client/v3/rooms/*/state/m.room.history_visibility/**" },
            phase: "before",
            action: { kind: "rewrite", replace: [["joined", "shared"]] },
          },
        ],
      },
      answers("shows the name that came later", { set: { "/rooms/*/name": "text <11>" } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, (sync) =>
      tryAll(sync, KEPT, (on, story) => expectNothingHidden(on, story, visited)),
    );
  },
);

check(
  "MSC4186.sec.no-cross-user",
  "the server shows of rooms that the user was in nothing hidden from that user, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, hauntings(), (story) => expectNothingHidden(sync, story, visited));
    });
  },
);

check(
  "MSC4186.sub.rejected-invite-no-state",
  "the server shows a user who was never in a room no more than an invite has, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, hauntings(), (story) => expectNothingHidden(sync, story, unvisited));
    });
  },
);

check(
  "MSC4186.sub.ban-never-joined-no-data",
  "the server shows nothing of a room to a user who was banned from it and never in it, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, hauntings(), (story) => expectNothingHidden(sync, story, banned));
    });
  },
);

check(
  "MSC4186.member.invite-no-activity-leak",
  "the server tells an invite or a knock once, whatever others do, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, hauntings(), (story) => expectSilence(sync, story));
    });
  },
);
