import { expect, test } from "vitest";
import { parseStories } from "./story.ts";

const GOOD = {
  id: "td.lost",
  hunts: "todevice.lost-upstream",
  devices: { alice: {}, bob: { side: "b" } },
  steps: [
    { login: ["alice", "bob"] },
    { fails: { do: { send: { by: "alice", as: "m" } } } },
    { together: [{ sync: "alice" }, { sync: "bob" }] },
    { begin: { as: "x", do: { sync: "alice" } } },
    { finish: "x" },
  ],
};

function problemsOf(story: object): string {
  try {
    parseStories([{ ...GOOD, ...story }], "td.yaml");
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

test("a story is read with the steps within its steps, and what it does not say is filled in", () => {
  const [story] = parseStories([GOOD], "td.yaml");
  expect(story).toMatchObject({ policy: { share: "all", read: "untrusted" }, covers: [] });
  expect(story?.steps).toEqual([
    { word: "login", given: ["alice", "bob"] },
    {
      fails: { word: "send", given: { by: "alice", as: "m", rotate: false, room: "room" } },
      text: "",
    },
    {
      together: [
        { word: "sync", given: ["alice"] },
        { word: "sync", given: ["bob"] },
      ],
    },
    { begin: "x", step: { word: "sync", given: ["alice"] } },
    { word: "finish", given: "x" },
  ]);
});

test.each([
  [{ steps: [{ sned: {} }] }, "td.lost, step 1: there is no step sned, did you mean send?"],
  [{ steps: [{ sync: "a", send: {} }] }, "td.lost, step 1: a step is one word"],
  [{ steps: [{ send: { by: "alice" } }] }, "td.lost, step 1 (send): as: "],
  [{ steps: [{ fails: { do: { lift: 3 } } }] }, "td.lost, step 1 (fails) (lift): "],
  [{ hunts: "nothing" }, "td.lost: hunts: "],
  [{ id: "Lost" }, "Lost: id: an id looks like td.swallowed"],
  [{ devices: { alice: { on: "here" } } }, "td.lost: devices.alice.on: a server is called hs1"],
])("what is wrong is told with file, story and step: %j", (story, message) => {
  const problems = problemsOf(story);
  expect(problems).toContain("td.yaml tells no stories");
  expect(problems).toContain(message);
});
