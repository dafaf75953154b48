import { expect, test } from "vitest";
import type { Actor } from "./cast.ts";
import type { Eyes, Sample, Sampled } from "./eyes.ts";
import { isUnequal, looksOf, quietRooms, toldSoFar } from "./told.ts";
import { castOf, pdu, trafficOf } from "./traffic-for-specs.ts";

const STATE = { "m.room.topic|": "$topic", "m.room.name|": "$name" };

function sample(role: string, change: Partial<Sample> = {}): Sample {
  return {
    role,
    user: { name: `user of ${role}` } as Actor,
    state: STATE,
    extremities: ["$last"],
    shown: new Map([["$last", 0]]),
    participants: new Set(["hs1.test", "hs2.test"]),
    ...change,
  };
}

/** Whether the room is quiet when its servers answer this now, after they answered that. */
function isQuiet(now: readonly Sampled[], before: readonly Sample[]): boolean {
  return quietRooms(new Map([["main", now]]), [looksOf(new Map([["main", before]]))]).has("main");
}

test("a room is quiet when every server answers as it did before", () => {
  const before = [sample("hs1"), sample("hs2")];
  const backwards = Object.fromEntries(Object.entries(STATE).reverse());

  expect(isQuiet(before, before)).toBe(true);
  expect(isQuiet([sample("hs1", { state: backwards }), sample("hs2")], before)).toBe(true);
  expect(isQuiet([sample("hs1"), "nobody"], before)).toBe(true);
  expect(isQuiet([sample("hs1"), "silent"], before)).toBe(false);
  expect(isQuiet(before, [sample("hs1")])).toBe(false);
  for (const change of [{ state: {} }, { extremities: ["$later"] }])
    expect(isQuiet([sample("hs1"), sample("hs2", change)], before)).toBe(false);
  expect(quietRooms(new Map([["main", before]]), [])).toEqual(new Map());
});

test("what clients were told is the look of who took part, with the end of what they were shown", () => {
  const traffic = trafficOf();
  const first = pdu("hs1");
  const second = pdu("hs1", first);
  for (const { event } of [first, second]) traffic.show(event, "hs1.test");
  traffic.show(first.event, "hs2.test");
  const shown = { hs1: [first.id, second.id], hs2: [first.id] };
  const eyes = {
    shown: (_: string, role: "hs1" | "hs2") => new Map(shown[role].map((event) => [event, 0])),
    told: ({ name }: Actor) => (name === "user of hs1" ? STATE : undefined),
  };
  const context = { eyes: eyes as unknown as Eyes, cast: castOf(), traffic };
  const samples = [sample("hs1"), sample("hs2")];
  const told = () =>
    toldSoFar(
      context,
      new Map([
        ["main", samples],
        ["elsewhere", samples],
      ]),
    );

  expect(told()).toEqual(
    new Map([
      [
        "main",
        new Map([
          ["hs1", { state: STATE, extremities: [second.id] }],
          ["hs2", { state: undefined, extremities: [first.id] }],
        ]),
      ],
    ]),
  );
  expect(isUnequal(told())).toBe(true);

  shown.hs2.push(second.id);
  traffic.show(second.event, "hs2.test");
  expect(isUnequal(told())).toBe(false);
});
