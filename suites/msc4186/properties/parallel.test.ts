/** Several connections of a user at the same time: each gets what it would get alone (P4 of the plan of properties). */
import * as fc from "fast-check";
import { check } from "#harness/world/check";
import { answers, inEachDialect, type Sync } from "../sync.ts";
import { tryAll } from "./kept.ts";
import { search } from "./search.ts";
import { type Action, actions, type Config, configs, Scene } from "./story.ts";
import { expectSameAnswer } from "./views.ts";

/** On which devices the connections are: two on one, and one of the same name on another. */
const CONNECTIONS = [
  { device: "reader", connId: "a" },
  { device: "reader", connId: "b" },
  { device: "other", connId: "a" },
] as const;

/** Connections by number ask at the same moment; `lose`: their answers never get to the client. */
interface Ask {
  readonly do: "sync" | "lose";
  readonly on: readonly number[];
  readonly config: Config;
}

type Parallel = readonly (Action | Ask)[];

const asks: fc.Arbitrary<Ask> = fc.record({
  do: fc.constantFrom("sync", "sync", "lose"),
  on: fc.subarray([...CONNECTIONS.keys()], { minLength: 1 }),
  config: configs({ keepsRules: false }),
});

const stories: fc.Arbitrary<Parallel> = fc.array(
  fc.oneof({ weight: 5, arbitrary: asks }, { weight: 6, arbitrary: actions() }),
  { minLength: 1, maxLength: 14 },
);

/**
 * Beside each connection there is one that asks for the same on a device where nothing else does. So a fault of what is
 * told, which both have, is left to the other properties.
 */
async function expectAsIfAlone(sync: Sync, story: Parallel): Promise<void> {
  const scene = await Scene.make(sync.world);
  const used = story.flatMap((step) => ("on" in step ? step.on : []));
  const pairs = new Map(
    await Promise.all(
      [...new Set(used)].map(async (number) => {
        const { device, connId } = CONNECTIONS[number] ?? CONNECTIONS[0];
        const among = sync.connection(scene[device], connId);
        const lonely = await sync.world.login(scene.reader);
        return [number, { among, alone: sync.connection(lonely, `alone-${connId}`) }] as const;
      }),
    ),
  );
  for (const step of story) {
    if (!("on" in step)) {
      await scene.act(step);
      continue;
    }
    const request = scene.request(step.config);
    await Promise.all(
      step.on.map(async (number) => {
        const { among, alone } = pairs.get(number) ?? {};
        const [actual, expected] = await Promise.all([
          step.do === "lose" ? among?.lose(request) : among?.sync(request),
          step.do === "lose" ? alone?.lose(request) : alone?.sync(request),
        ]);
        if (actual === undefined || expected === undefined) return;
        expectSameAnswer(actual, expected, `of connection ${number} as of one alone`);
      }),
    );
  }
}

const LIST: Config = { last: 3, limit: 1, wantsTopic: false, isFiltered: false, subscriptions: [] };

/** Not of faults: what a server has to get right. */
const KEPT: Readonly<Record<string, Parallel>> = {
  "a message that another connection has had": [
    { do: "sync", on: [0, 1, 2], config: LIST },
    { do: "send", room: 2 },
    { do: "sync", on: [0], config: LIST },
    { do: "sync", on: [1, 2], config: { ...LIST, last: 0 } },
    { do: "sync", on: [0, 1, 2], config: LIST },
  ],
  "a topic that another connection asks for": [
    { do: "sync", on: [0, 1], config: { ...LIST, last: 1 } },
    { do: "topic", room: 0, text: "one" },
    { do: "lose", on: [0], config: { ...LIST, wantsTopic: true } },
    { do: "sync", on: [1], config: LIST },
    { do: "sync", on: [0, 1], config: { ...LIST, wantsTopic: true } },
  ],
};

check(
  "MSC4186.conn.independent",
  "the server tells each of several connections what it tells one alone, in stories",
  {
    deadlineMs: 120_000,
    mutant: answers(
      "holds back on a connection what another one has had",
      { set: { "/rooms": {} } },
      { contains: '"conn_id":"b"' },
    ),
  },
  async (world) => await inEachDialect(world, (sync) => tryAll(sync, KEPT, expectAsIfAlone)),
);

check(
  "MSC4186.conn.independent",
  "the server tells each of several connections what it tells one alone, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories, (story) => expectAsIfAlone(sync, story));
    });
  },
);
