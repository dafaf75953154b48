import { expect, test } from "vitest";
import { creationOf, joinRuleDeed, memberDeed, topicDeed } from "./random-room.ts";
import { storyOf } from "./words.ts";

const [ALICE, BOB] = ["@alice:h1", "@bob:h2"] as const;

test("an honest meeting is told deed by deed", () => {
  const deeds = [
    memberDeed(BOB, BOB, "join"),
    { ...topicDeed(ALICE, "t"), isAhead: true },
    memberDeed(ALICE, BOB, "leave"),
    joinRuleDeed(ALICE, "invite"),
  ];
  const creation = creationOf({ [BOB]: 50 }, "public");

  expect(storyOf({ creation, deeds, second: { kind: "honest", moment: 1 } })).toEqual([
    "alice creates a room, join rule public, power levels of others: bob 50",
    "bob joins",
    "alice sets the topic, by a clock that is ahead",
    "alice removes bob",
    "alice sets the join rule to invite",
    "this meets a server that knows all up to: bob joins",
  ]);
});

test("a stale state is told key by key", () => {
  const deeds = [memberDeed(BOB, BOB, "join"), joinRuleDeed(ALICE, "invite")];
  const keys = [
    ["m.room.join_rules|", 3],
    [`m.room.member|${BOB}`, null],
  ] as const;

  expect(
    storyOf({ creation: creationOf({}, "public"), deeds, second: { kind: "stale", keys } }).at(-1),
  ).toBe(
    "this meets a stale copy of itself, where m.room.join_rules is still that of: alice sets the join rule to public, and without m.room.member of @bob:h2",
  );
});
