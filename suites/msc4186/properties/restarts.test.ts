/** A server dies at any point of a story: positions are honoured as before, or refused as unknown (P7 of the plan). */
import * as fc from "fast-check";
import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { NoAnswer } from "#harness/clients/sliding-sync/patience";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import { HarnessError } from "#harness/errors";
import type { Phase } from "#harness/gateway/rule";
import { check } from "#harness/world/check";
import { expectMatrixError } from "#harness/world/expect";
import { LATER } from "../rooms.ts";
import { answers, answersInstead, inEachDialect, type Sync } from "../sync.ts";
import { tryAll } from "./kept.ts";
import { search } from "./search.ts";
import { type Action, actions, type Config, configs, EVERYTHING, Scene } from "./story.ts";
import { expectNoHole, expectSameAnswer, expectSameView } from "./views.ts";

const PHASES = ["before", "mid-request", "processed", "mid-response"] as const satisfies Phase[];

interface Death {
  readonly do: "kill";
  /** The request in which it comes, and when; absent: between requests. */
  readonly in?: "sync" | "send";
  readonly phase: (typeof PHASES)[number];
  /** What is asked for before and after it. */
  readonly config: Config;
}

type Step = Action | { readonly do: "sync" | "lose"; readonly config: Config } | Death;

type Deadly = readonly Step[];

// Nobody leaves or joins: what is lost of that is lost without a death, and the matter of other properties.
const config = configs({ keepsRules: true });
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("sync", "lose"), config }) },
    { weight: 4, arbitrary: actions({ moves: false }) },
  ) as fc.Arbitrary<Step>,
  { maxLength: 7 },
);
const death = fc.record(
  {
    do: fc.constant("kill" as const),
    in: fc.constantFrom("sync" as const, "send" as const),
    phase: fc.constantFrom(...PHASES),
    config,
  },
  { requiredKeys: ["do", "phase", "config"] },
);
const stories: fc.Arbitrary<Deadly> = fc
  .tuple(steps, death, steps)
  .map(([before, kill, after]) => [...before, kill, ...after]);

/** Two connections that ask for the same; one of them is asked what it would get without a death. */
class Survivors {
  readonly #sync: Sync;
  readonly #scene: Scene;
  readonly #asked: SlidingConnection;
  readonly #silent: SlidingConnection;

  constructor(sync: Sync, scene: Scene) {
    this.#sync = sync;
    this.#scene = scene;
    this.#asked = sync.connection(scene.reader, "asked");
    this.#silent = sync.connection(scene.reader, "silent");
  }

  get #both(): readonly SlidingConnection[] {
    return [this.#asked, this.#silent];
  }

  async tell(step: Step): Promise<void> {
    if (!("config" in step)) return await this.#scene.act(step);
    const request = this.#scene.request(step.config);
    if (step.do === "kill") return await this.#die(step, request);
    for (const connection of this.#both) {
      await (step.do === "lose" ? connection.lose(request) : connection.sync(request));
    }
  }

  async #die({ in: where, phase }: Death, request: SlidingRequest): Promise<void> {
    const { world } = this.#sync;
    const { role } = this.#scene.reader.server;
    const expected = await this.#asked.lose(request);
    if (where === undefined) await world.actOnServer(role, "kill");
    else await this.#dieIn(where, phase, request);
    await world.actOnServer(role, "restart");
    for (const connection of this.#both) {
      const http = await connection.send(request);
      if (http.status !== 200) {
        expectMatrixError(http, 400, "M_UNKNOWN_POS");
        await connection.initial(request);
        continue;
      }
      const actual = connection.process(request, http);
      // Of an event that was being sent nobody knows whether it has come to be.
      if (where !== "send") expectSameAnswer(actual, expected, "as before the death");
    }
  }

  async #dieIn(where: "sync" | "send", phase: Phase, request: SlidingRequest): Promise<void> {
    const { world, dialect } = this.#sync;
    const path = where === "sync" ? dialect.path : "/_matrix/client/v3/rooms/*/send/**";
    const rule = await world.fault({ path }, phase, { kind: "kill" }, 1);
    const exchange =
      where === "sync" ? this.#silent.send(request) : this.#scene.act({ do: "send", room: 0 });
    await exchange.catch((error) => {
      // A server that is dead does not answer, or not whole.
      if (!(error instanceof HarnessError || error instanceof NoAnswer)) throw error;
    });
    await rule.end();
  }

  async expectFresh(): Promise<void> {
    const request = this.#scene.request(EVERYTHING);
    const fresh = this.#sync.connection(this.#scene.reader, "fresh");
    await fresh.initial(request);
    for (const connection of this.#both) {
      await connection.drain(request);
      expectSameView(connection.view, fresh.view, this.#sync.dialect, this.#scene);
      for (const [roomId, room] of connection.view.rooms) {
        expectNoHole(roomId, room, await this.#scene.eventsOf(roomId));
      }
    }
  }
}

async function expectSurvival(sync: Sync, story: Deadly): Promise<void> {
  const scene = await Scene.make(sync.world);
  const survivors = new Survivors(sync, scene);
  for (const step of story) await survivors.tell(step);
  await survivors.expectFresh();
}

const LIST: Config = { last: 3, limit: 2, wantsTopic: true, isFiltered: false, subscriptions: [] };

/** Not of faults: what a server has to get right. */
const KEPT: Readonly<Record<string, Deadly>> = {
  "what was said before the death": [
    { do: "sync", config: { ...LIST, last: 1 } },
    { do: "send", room: 0 },
    { do: "lose", config: LIST },
    { do: "topic", room: 3, text: "one" },
    { do: "kill", in: "sync", phase: "processed", config: LIST },
    { do: "send", room: 2 },
    { do: "sync", config: { ...LIST, last: 0 } },
  ],
};

check(
  "MSC4186.conn.survives-restart",
  "the server goes on after its death where it was, or has the client start anew, in stories",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: [
      answers("loses what is new", { set: { "/rooms": {} } }, { contains: '"silent"' }),
      answersInstead("refuses for another reason", 400, { errcode: "M_UNKNOWN", error: "" }, LATER),
    ],
  },
  async (world) => await inEachDialect(world, (sync) => tryAll(sync, KEPT, expectSurvival)),
);

check(
  "MSC4186.conn.survives-restart",
  "the server goes on after its death where it was, or has the client start anew, in random stories",
  { kind: "search", isolated: {}, deadlineMs: 120_000 },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories, (story) => expectSurvival(sync, story));
    });
  },
);
