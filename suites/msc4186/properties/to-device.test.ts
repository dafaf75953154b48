/** Messages to a device come once each, in order, whatever becomes of answers, connections and servers (P6 of the plan). */
import * as fc from "fast-check";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import type { JsonValue } from "#harness/gateway/rule";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { LATER } from "../rooms.ts";
import { answers, inDialect, type Sync } from "../sync.ts";
import { NOTE, notify, pageOf, request } from "../to-device.ts";
import { tryAll } from "./kept.ts";
import { search } from "./search.ts";

/** The messages that a client takes at once; absent: as many as the server gives. */
interface Receipt {
  readonly limit?: number;
}

type Step =
  | { readonly do: "send"; readonly count: number; readonly isToAll: boolean }
  /** `lose`: the answer never gets to the client. `crash`: it gets there, and dies with the client before it is kept. */
  | ({ readonly do: "receive" | "lose" | "crash" } & Receipt)
  /** The connection starts anew without a position; the token of the messages stays. */
  | { readonly do: "expire" }
  /** The server dies, `duringReceive` with a request under way, and comes back. */
  | { readonly do: "kill"; readonly duringReceive: boolean };

type Post = readonly Step[];

const receipt = <Name extends string>(...names: readonly Name[]) =>
  fc.record(
    { do: fc.constantFrom(...names), limit: fc.integer({ min: 1, max: 3 }) },
    { requiredKeys: ["do"] },
  );
const send = fc.record({
  do: fc.constant("send" as const),
  count: fc.integer({ min: 1, max: 4 }),
  isToAll: fc.boolean(),
});
const expire = fc.constant({ do: "expire" as const });
const step: fc.Arbitrary<Exclude<Step, { readonly do: "kill" }>> = fc.oneof(
  { weight: 4, arbitrary: send },
  { weight: 4, arbitrary: receipt("receive") },
  { weight: 3, arbitrary: receipt("lose", "crash") },
  { weight: 1, arbitrary: expire },
);
const kill = fc.record({ do: fc.constant("kill" as const), duringReceive: fc.boolean() });
const stories: fc.Arbitrary<Post> = fc.array(step, { minLength: 1, maxLength: 16 });
/** With one death of the server somewhere: each takes seconds. */
const deadlyStories: fc.Arbitrary<Post> = fc
  .tuple(fc.array(step, { maxLength: 8 }), kill, fc.array(step, { maxLength: 8 }))
  .map(([before, death, after]) => [...before, death, ...after]);

const MAX_PAGES = 100;

/** At the end the client takes what is there; together with what it took before it has each message once, in order. */
async function expectOnceEach(sync: Sync, story: Post): Promise<void> {
  const { world } = sync;
  const [alice, bob] = await world.users("alice", "bob");
  let connection = sync.connection(alice, "encryption");
  let since: string | undefined;
  const sent: string[] = [];
  const got: unknown[] = [];
  const receive = async (receipt: Receipt) => {
    const page = pageOf(await connection.sync(request({ ...receipt, since })));
    since = page.next;
    got.push(...page.texts);
    return page.texts.length;
  };
  for (const step of story) {
    switch (step.do) {
      case "send": {
        const texts = Array.from({ length: step.count }, (_, index) => `${sent.length + index}`);
        await notify(bob, alice, texts, step.isToAll ? "*" : alice.deviceId);
        sent.push(...texts);
        break;
      }
      case "receive":
        await receive(step);
        break;
      case "lose":
        await connection.lose(request({ ...step, since }));
        break;
      case "crash":
        await connection.sync(request({ ...step, since }));
        break;
      case "expire":
        connection = sync.connection(alice, "encryption");
        break;
      case "kill": {
        const flight = step.duringReceive ? connection.start(request({ since })) : undefined;
        await world.actOnServer(alice.server.role, "kill");
        flight?.cancel();
        await world.actOnServer(alice.server.role, "restart");
      }
    }
  }
  for (let pages = 0; pages < MAX_PAGES && (await receive({})) > 0; pages++);
  expectEqual(got, sent, "the messages of all answers that were kept");
}

const SOME = { do: "send", count: 4, isToAll: false } as const;

/** Not of faults: what a server has to get right. */
const KEPT: Readonly<Record<string, Post>> = {
  "messages in answers that were lost": [
    SOME,
    { do: "receive", limit: 2 },
    { do: "lose", limit: 1 },
    { do: "receive", limit: 1 },
    { do: "lose" },
    { do: "send", count: 2, isToAll: true },
    { do: "receive", limit: 3 },
  ],
  "messages of a client that starts anew": [
    SOME,
    { do: "receive", limit: 3 },
    { do: "crash" },
    { do: "expire" },
    { do: "crash", limit: 1 },
    { do: "send", count: 1, isToAll: true },
    { do: "expire" },
    { do: "receive" },
    { do: "expire" },
  ],
};

const DEADLY: Readonly<Record<string, Post>> = {
  "messages around the death of the server": [
    SOME,
    { do: "receive", limit: 2 },
    { do: "lose", limit: 1 },
    { do: "kill", duringReceive: true },
    { do: "send", count: 1, isToAll: true },
    { do: "receive", limit: 2 },
  ],
};

const EVENTS = "/extensions/to_device/events";
const AGAIN: JsonValue = { type: NOTE, sender: "@a:b", content: { text: "0" } };
const LOSES = answers("loses the oldest message", { remove: [`${EVENTS}/0`] });
const MUTANTS = [
  LOSES,
  answers("takes the position for an acknowledgement", { set: { [EVENTS]: [] } }, LATER),
  answers("sends a message again", { set: { [`${EVENTS}/-`]: AGAIN } }, { contains: '"limit":3' }),
];

check(
  "MSC3885.todevice.exactly-once-conn-expiry",
  "the server sends each message once, whatever becomes of answers and connections, in stories",
  { deadlineMs: 120_000, mutant: MUTANTS },
  async (world) => {
    await inDialect(world, UNSTABLE, (sync) => tryAll(sync, KEPT, expectOnceEach));
  },
);

check(
  "MSC3885.todevice.exactly-once-conn-expiry",
  "the server sends each message once, whatever becomes of answers and connections, in random stories",
  { kind: "search" },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      await search(world, stories, (story) => expectOnceEach(sync, story));
    });
  },
);

check(
  "MSC3885.todevice.restart-durability",
  "the server sends each message once although it dies in between, in stories",
  { isolated: {}, deadlineMs: 120_000, mutant: LOSES },
  async (world) => {
    await inDialect(world, UNSTABLE, (sync) => tryAll(sync, DEADLY, expectOnceEach));
  },
);

check(
  "MSC3885.todevice.restart-durability",
  "the server sends each message once although it dies in between, in random stories",
  { kind: "search", isolated: {}, deadlineMs: 120_000 },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      await search(world, deadlyStories, (story) => expectOnceEach(sync, story));
    });
  },
);
