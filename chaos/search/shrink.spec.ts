/** Shrinking keeps the class and leaves nothing that could be left out. */
import { expect, test } from "vitest";
import { creationOf, joinRuleDeed, memberDeed, topicDeed } from "./random-room.ts";
import type { StaleKey } from "./second-sets.ts";
import { shrink } from "./shrink.ts";
import { judge, type Situation } from "./situation.ts";

const [ALICE, BOB, CHARLIE] = ["@alice:h1", "@bob:h2", "@charlie:h3"] as const;

/** Bob joins, the room is closed, and much else happens. */
const LONG: Situation = {
  creation: creationOf({ [CHARLIE]: 50 }, "public"),
  deeds: [
    memberDeed(CHARLIE, CHARLIE, "join"),
    topicDeed(CHARLIE, "one"),
    memberDeed(BOB, BOB, "join"),
    topicDeed(ALICE, "two"),
    joinRuleDeed(ALICE, "invite"),
    topicDeed(ALICE, "three"),
    memberDeed(CHARLIE, CHARLIE, "leave"),
  ],
  second: { kind: "honest", moment: 2 },
};

test("what has no part in it goes", () => {
  expect(judge(LONG)?.resetClass).toBe("D");

  const small = shrink(LONG, "D");

  expect(judge(small)?.resetClass).toBe("D");
  expect(small).toEqual({
    creation: creationOf({}, "public"),
    deeds: [memberDeed(BOB, BOB, "join"), joinRuleDeed(ALICE, "invite")],
    second: { kind: "honest", moment: 0 },
  });
});

test("stale keys follow their events", () => {
  const stale: Situation = {
    creation: creationOf({ [BOB]: 50 }, "public"),
    deeds: [
      topicDeed(ALICE, "none of it"),
      memberDeed(BOB, BOB, "join"),
      topicDeed(BOB, "one"),
      topicDeed(BOB, "two"),
      memberDeed(ALICE, BOB, "ban"),
    ],
    second: { kind: "stale", keys: [["m.room.topic|", 6]] },
  };
  expect(judge(stale)?.resetClass).toBe("A");

  const small = shrink(stale, "A");

  expect(judge(small)?.resetClass).toBe("A");
  expect(small.deeds.length).toBeLessThan(stale.deeds.length);
});

test("a stale state that the room once had is an honest one", () => {
  const rule: StaleKey = ["m.room.join_rules|", 3];
  const membership: StaleKey = [`m.room.member|${BOB}`, null];
  const deeds = [memberDeed(BOB, BOB, "join"), joinRuleDeed(ALICE, "invite")];
  const judged = (keys: readonly StaleKey[]) =>
    judge({ creation: creationOf({}, "public"), deeds, second: { kind: "stale", keys } });

  expect(judged([rule, membership])?.resetClass).toBe("D");
});

test("a history with a deed that is not allowed is no finding", () => {
  const refused = [...LONG.deeds, topicDeed(BOB, "not his to set")];

  expect(judge({ ...LONG, deeds: refused })).toBeUndefined();
});
