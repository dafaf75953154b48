/** Windows over rooms in which something happens: each has what is due, the newest first (P5 of the plan of properties). */
import * as fc from "fast-check";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { answers, inEachDialect, reads, type Sync } from "../sync.ts";
import { tryAll } from "./kept.ts";
import { search } from "./search.ts";
import { room, Scene } from "./story.ts";
import { expectNoHole } from "./views.ts";

type Step =
  | { readonly do: "send" | "topic"; readonly room: number }
  /** A window of the newest rooms up to this one; `lose`: the answer never gets to the client. */
  | { readonly do: "look" | "lose"; readonly last: number };

type Traffic = readonly Step[];

const stories: fc.Arbitrary<Traffic> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("send" as const), room }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("topic" as const), room }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom("look" as const, "look" as const, "lose" as const),
        last: room,
      }),
    },
  ),
  { minLength: 1, maxLength: 20 },
);

/** At the end the window grows over all rooms; together the answers then have brought every change. */
async function expectChangesInWindows(sync: Sync, story: Traffic): Promise<void> {
  const scene = await Scene.make(sync.world);
  const connection = sync.connection(scene.reader);
  const newestFirst = [...scene.rooms].reverse();
  const due = new Set(scene.rooms);
  const grown = scene.rooms.map((_, last) => ({ do: "look" as const, last }));
  for (const [index, step] of [...story, ...grown].entries()) {
    if ("room" in step) {
      const { room: number } = step;
      await scene.act(
        step.do === "send" ? { do: "send", room: number } : topic(number, `topic ${index}`),
      );
      const roomId = scene.roomId(number);
      newestFirst.unshift(...newestFirst.splice(newestFirst.indexOf(roomId), 1));
      due.add(roomId);
      continue;
    }
    const request = window(step.last);
    const expected = newestFirst.slice(0, step.last + 1).filter((id) => due.has(id));
    const what = `the rooms of [0,${step.last}] that have changed since they were last sent`;
    const { rooms } = await (step.do === "lose"
      ? connection.lose(request)
      : connection.sync(request));
    expectEqual(Object.keys(rooms).sort(), expected.toSorted(), what);
    if (step.do === "look") for (const id of expected) due.delete(id);
  }
  for (const [roomId, view] of connection.view.rooms) {
    const truth = await scene.eventsOf(roomId);
    expectNoHole(roomId, view, truth);
    const newest = view.timeline.at(-1)?.at(-1)?.event_id;
    expectEqual(newest, truth.at(-1)?.event_id, `the newest event of ${roomId}`);
  }
}

function topic(number: number, text: string) {
  return { do: "topic" as const, room: number, text };
}

function window(last: number): SlidingRequest {
  return { lists: { newest: { range: [0, last], timelineLimit: 2 } } };
}

/** Not of faults: what a server has to get right. */
const KEPT: Readonly<Record<string, Traffic>> = {
  "changes below the window": [
    { do: "look", last: 3 },
    { do: "send", room: 0 },
    { do: "send", room: 1 },
    { do: "topic", room: 2 },
    { do: "look", last: 0 },
    { do: "send", room: 0 },
    { do: "lose", last: 1 },
    { do: "send", room: 3 },
    { do: "look", last: 1 },
  ],
  "rooms that were never sent": [
    { do: "look", last: 0 },
    { do: "send", room: 0 },
    { do: "lose", last: 2 },
    { do: "send", room: 3 },
    { do: "look", last: 1 },
  ],
};

check(
  "MSC4186.list.top-n-equivalence",
  "the server gives to each window the rooms that are due, and all to one that grows, in stories",
  {
    deadlineMs: 120_000,
    mutant: [
      answers(
        "leaves out what was below the window",
        { remove: ["/rooms/*"] },
        { contains: "[0,3]" },
      ),
      reads("has another order", [["[0,0]", "[1,1]"]]),
    ],
  },
  async (world) => await inEachDialect(world, (sync) => tryAll(sync, KEPT, expectChangesInWindows)),
);

check(
  "MSC4186.list.top-n-equivalence",
  "the server gives to each window the rooms that are due, and all to one that grows, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories, (story) => expectChangesInWindows(sync, story));
    });
  },
);
