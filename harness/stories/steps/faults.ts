/** Steps that break what goes over the links, and those that act on servers. */
import { z } from "zod";
import type { ServerAction } from "#harness/deployment/actions";
import { HarnessError } from "#harness/errors";
import { tokenDigest } from "#harness/gateway/message";
import { PHASES, type RuleAction } from "#harness/gateway/rule";
import { isObject } from "#harness/match/json";
import { expectThat } from "#harness/world/expect";
import { ROUTES } from "../routes.ts";
import { name, server, step } from "../step.ts";
import { filledIn } from "../values.ts";

const route = z.enum(Object.keys(ROUTES) as [keyof typeof ROUTES]);
const FIRED_MS = 20_000;

/** As docs/utd-stories.md lists them; made into actions of the gateway. */
const action = z.union([
  z.enum(["reset", "gate", "duplicate", "kill"]),
  z.strictObject({ status: z.number().int(), body: z.unknown().optional() }),
  /** Milliseconds, and up to so many more. */
  z.strictObject({ delay: z.number().int(), jitter: z.number().int().default(0) }),
  z.strictObject({ truncate: z.number().int() }),
  z.strictObject({
    rewrite: z.strictObject({
      status: z.number().int().optional(),
      body: z.unknown().optional(),
      set: z.record(z.string(), z.unknown()).optional(),
      remove: z.array(z.string()).optional(),
      reverse: z.array(z.string()).optional(),
      replace: z.array(z.tuple([z.string(), z.string()])).optional(),
    }),
  }),
]);

const SERVER_ACTIONS = [
  "kill",
  "restart",
  "pause",
  "resume",
  "stop",
  "start",
  "snapshot",
  "rollback",
] as const;

export const FAULTS = {
  /**
   * Of requests of one device (`by`) or of all of this story, or of one server to another (`from`, `to`). It has to fire
   * before the story ends.
   */
  fault: step(
    z.strictObject({
      as: name.default("fault"),
      by: name.optional(),
      from: server.optional(),
      to: server.optional(),
      route: z.union([route.transform((only) => [only]), z.array(route).min(1)]),
      contains: z.string().optional(),
      status: z.number().int().optional(),
      phase: z.enum(PHASES),
      action,
      times: z.number().int().positive().optional(),
    }),
    async (telling, given) => {
      const { by, from, to, contains, status, phase, times } = given;
      const who = by === undefined ? undefined : telling.device(by).session.accessToken;
      const act = actionOf(filledIn(telling, given.action));
      const handles = await Promise.all(
        given.route.map((each) =>
          telling.world.rule({
            name: `${telling.story.id}: ${given.as} (${each} ${phase})`,
            match: {
              ...ROUTES[each],
              ...(who === undefined ? {} : { client: tokenDigest(who) }),
              ...((from ?? by) === undefined
                ? { check: telling.world.anonymous().context.check }
                : {}),
              ...(from === undefined ? {} : { from }),
              ...(to === undefined ? {} : { to }),
              ...(contains === undefined ? {} : { contains: String(filledIn(telling, contains)) }),
              ...(status === undefined ? {} : { status }),
            },
            phase,
            action: act,
            ...(times === undefined ? {} : { times }),
          }),
        ),
      );
      telling.faults.set(given.as, handles);
    },
  ),
  /** Ends a fault, which has to have fired. */
  lift: step(name, (telling, fault) => telling.lift(fault)),
  /** Lets go what a gate holds. */
  release: step(name, async (telling, fault) => {
    for (const handle of telling.fault(fault)) await handle.release();
  }),
  /** Waits for what was begun. */
  finish: step(name, async (telling, as) => {
    const begun = telling.begun.get(as);
    telling.begun.delete(as);
    if (begun === undefined) throw nothingBegun(as);
    await begun;
  }),
  /** So often by now, and no more. */
  fired: step(z.strictObject({ fault: name, times: z.number().int() }), async (telling, given) => {
    const fired = await Promise.all(telling.fault(given.fault).map((handle) => handle.fired()));
    const sum = fired.reduce((whole, part) => whole + part, 0);
    expectThat(sum === given.times, `${given.times} exchanges for ${given.fault}`, `${sum}`);
  }),
  /** Waits until a fault has fired. */
  fires: step(name, async (telling, fault) => {
    await telling.world.eventually(
      async () => {
        const fired = await Promise.all(telling.fault(fault).map((handle) => handle.fired()));
        expectThat(
          fired.some((times) => times > 0),
          `the fault ${fault} to fire`,
          "not yet",
        );
      },
      { deadlineMs: FIRED_MS },
    );
  }),
  /** Nothing gets through between two servers, either way; `lift` heals it. */
  cut: step(
    z.strictObject({
      as: name.default("cut"),
      from: server,
      to: server,
      "one-way": z.boolean().default(false),
    }),
    async (telling, { as, from, to, "one-way": isOneWay }) => {
      const ways = isOneWay
        ? [[from, to]]
        : [
            [from, to],
            [to, from],
          ];
      const handles = await Promise.all(
        ways.map(([from = "", to = ""]) =>
          telling.world.fault({ from, to }, "before", { kind: "reset" }),
        ),
      );
      telling.faults.set(as, handles);
    },
  ),
  server: step(z.partialRecord(z.enum(SERVER_ACTIONS), server), async (telling, given) => {
    for (const [action, role] of Object.entries(given))
      await telling.world.actOnServer(role, action as ServerAction);
  }),
};

function nothingBegun(as: string): HarnessError {
  return new HarnessError("BAD_FILE", {
    what: `nothing called ${as} goes on at this place of the story`,
    next: "begin it before, and finish it once",
  });
}

function actionOf(given: unknown): RuleAction {
  if (typeof given === "string") return { kind: given } as RuleAction;
  if (!isObject(given)) throw new TypeError("the schema lets no such action through");
  if ("status" in given) return { kind: "answer", ...given } as RuleAction;
  if ("delay" in given) {
    return { kind: "delay", ms: given.delay, jitterMs: given.jitter } as RuleAction;
  }
  if ("truncate" in given) return { kind: "truncate", bytes: given.truncate } as RuleAction;
  return { kind: "rewrite", ...(given.rewrite as object) } as RuleAction;
}
