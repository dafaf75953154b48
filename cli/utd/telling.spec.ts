/** Stories told to a real server: what the engine finds wrong, and where it says that it was. */
import { mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeploymentForSpecs } from "#cli/deployment-for-specs";
import { readClientLog } from "#harness/clients/crypto/client-log";
import { parseStories } from "#harness/stories/story";
import { tell } from "#harness/stories/tell";
import type { Pair } from "#harness/stories/telling";
import { utdStories } from "#scenarios/stories/utd";

const WASM = { a: "wasm", b: "wasm" } as const;
let server: DeploymentForSpecs;

beforeAll(async () => {
  server = await DeploymentForSpecs.start();
}, 300_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

/** Two who share a room, and these steps. @param logs folder for what the clients tell */
async function told(steps: readonly object[], pair: Pair = WASM, logs?: string) {
  const devices = { alice: {}, bob: { side: "b" } };
  const begin = [{ login: ["alice", "bob"] }, { room: { by: "alice", with: "bob" } }];
  const value = { id: "spec.story", hunts: "none", devices, steps: [...begin, ...steps] };
  const [story] = parseStories([value], "spec");
  if (story === undefined) throw new TypeError("no story");
  await using world = server.world("UTD.member.happy", logs);
  const error = await tell(world, story, pair).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  return { error, undecryptable: world.undecryptable };
}

test("a fault that never fires fails its story", async () => {
  const fault = { route: "to-device", phase: "before", action: { status: 500 } };
  const { error } = await told([{ fault: { by: "bob", ...fault } }]);
  expect(error).toMatchObject({ code: "RULE_NEVER_FIRED" });
});

test("what goes wrong is told with the step, and with the ids of what could not be read", async () => {
  const sync = { by: "bob", route: "sync", phase: "processed" };
  const { error, undecryptable } = await told([
    { send: { by: "alice", as: "m" } },
    { fault: { ...sync, action: { rewrite: { remove: ["/to_device"] } } } },
    { sync: "bob" },
    { reads: { who: "bob", what: "m", now: true } },
  ]);
  expect(error?.message).toMatch(/^expected step 6: reads: m to be readable for bob/);
  expect(undecryptable).toMatchObject([
    { message: "m", why: "MissingRoomKey", isExpected: false, event: expect.stringMatching(/^\$/) },
  ]);
});

test("a story without its fault fails where it expects the failure", async () => {
  const swallowed = utdStories().get("td.swallowed");
  if (swallowed === undefined) throw new TypeError("no story");
  const steps = swallowed.steps.filter(
    (step) => !("word" in step && ["fault", "lift"].includes(step.word)),
  );
  await using world = server.world("UTD.td.swallowed");
  await expect(tell(world, { ...swallowed, steps }, WASM)).rejects.toThrow(
    "unreadable: m to be unreadable for bob, got it was read",
  );
});

test("what is begun has to be finished", async () => {
  const { error } = await told([{ begin: { as: "sync", do: { sync: "bob" } } }]);
  expect(error).toMatchObject({ what: expect.stringContaining("ends while sync goes on") });
});

test.each([
  ["wasm", ["decrypted", "failed"]],
  ["js-sdk", ["decrypted", "failed"]],
  // It looks at no answer that ends where the one before did.
  ["nio", ["decrypted"]],
] as const)(
  "%s tells of messages that come again what became of each, where it has looked at them",
  {
    timeout: 180_000,
  },
  async (kind, outcomes) => {
    const logs = path.join(server.folder, `copies-${kind}`);
    mkdirSync(logs);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a value of the story
    const rewrite = { set: { "/to_device": { events: "${copies}" } } };
    const { error } = await told(
      [
        { send: { by: "alice", as: "m" } },
        { "keep-to-device": { of: "bob", as: "copies" } },
        { reads: { who: "bob", what: "m" } },
        { settle: "bob" },
        { fault: { by: "bob", route: "sync", phase: "processed", times: 1, action: { rewrite } } },
        { sync: "bob" },
        { undecryptable: { who: "bob", is: outcomes.length - 1 } },
      ],
      { a: "wasm", b: kind },
      logs,
    );
    expect(error).toBeUndefined();
    const deeds = readdirSync(logs).flatMap((name) => readClientLog(path.join(logs, name)));
    const ofBob = deeds.filter(({ user }) => user.startsWith("@bob"));
    const parcels = (deed: "got" | "took") =>
      ofBob.flatMap((entry) => (entry.t === deed ? entry.parcels : []));

    expect(parcels("got")).toHaveLength(2);
    expect(parcels("took").map(({ outcome }) => outcome)).toEqual(outcomes);
  },
);
