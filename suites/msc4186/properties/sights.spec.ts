import { expect, test } from "vitest";
import { Sights, type Visibility } from "./sights.ts";

/** Before the invite, between invite and join, while joined, after the leave. */
function visit(visibility: Visibility): Sights {
  const sights = new Sights();
  sights.show(visibility);
  sights.say("before");
  sights.become("invite");
  sights.say("between");
  sights.become("join");
  sights.say("joined");
  sights.become("leave");
  sights.say("after");
  return sights;
}

test("history is visible as the room says", () => {
  expect(visit("world_readable").hidden).toEqual([]);
  expect(visit("shared").hidden).toEqual(["after"]);
  expect(visit("invited").hidden).toEqual(["before", "after"]);
  expect(visit("joined").hidden).toEqual(["before", "between", "after"]);
});

test("who comes back sees what was said meanwhile, where history is shared", () => {
  const [shared, joined] = [visit("shared"), visit("joined")];
  for (const sights of [shared, joined]) sights.become("join");
  expect(shared.hidden).toEqual([]);
  expect(joined.hidden).toEqual(["before", "between", "after"]);
});

test("state is for members, as it was when they left", () => {
  const sights = new Sights();
  sights.set("name", "old name");
  sights.set("name", "name");
  sights.set("member", "carol");
  sights.show("joined");
  expect(sights.hidden).toEqual(["old name", "name", "carol"]);
  sights.become("join");
  expect(sights.hidden).not.toContain("name");
  sights.become("ban");
  sights.set("name", "later name");
  expect(sights.hidden).toEqual(["later name"]);
});

test("an invite brings the stripped state, and a ban nothing", () => {
  const sights = new Sights();
  sights.set("name", "name");
  sights.set("member", "carol");
  sights.become("ban");
  expect(sights.hidden).toEqual(["name", "carol"]);
  sights.become("invite");
  expect(sights.hidden).toEqual(["carol"]);
  sights.become("leave");
  sights.set("topic", "topic");
  expect(sights.hidden).toEqual(["carol", "topic"]);
});

test("what all the world may read is hidden from nobody", () => {
  const sights = new Sights();
  sights.set("name", "name");
  sights.show("world_readable");
  sights.say("message");
  expect(sights.hidden).toEqual([]);
});
