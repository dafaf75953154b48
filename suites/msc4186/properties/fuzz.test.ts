/** Requests of either dialect with anything in them: a server answers each, and never breaks (P9 of the plan of properties). */
import * as fc from "fast-check";
import { DIALECTS, type Dialect, STABLE } from "#harness/clients/sliding-sync/dialect";
import { sendPatiently } from "#harness/clients/sliding-sync/patience";
import { CheckFailure } from "#harness/errors";
import { at, isObject, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { isOrderly } from "../bodies.ts";
import { junk, oddRequest, ROOM } from "../odd-requests.ts";
import { inEachDialect, type Sync } from "../sync.ts";
import { edited, includes, smaller, spotsIn } from "./json-edits.ts";
import { type Found, findFailing, GRACE_MS } from "./search.ts";

/** One request. */
type Odd = JsonObject & {
  readonly body: JsonObject;
  /** `mine`: that of the last answer. */
  readonly pos?: string;
  readonly timeout?: string;
};

const MINE = "mine";
/** The server may hold a request with a position so long, if it takes the timeout. */
const HOLD_MS = 10_000;
/** Objects whose keys are names. */
const NAMED = ["lists", "room_subscriptions"];

interface Mutation {
  readonly at: number;
  readonly how: "remove" | "replace" | "repeat" | "wrap";
  readonly by: unknown;
}

const deep = Array.from({ length: 99 }).reduce<unknown>((inner) => [inner], []);

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat({ max: 999 }),
  how: fc.constantFrom("remove", "replace", "repeat", "wrap"),
  by: fc.oneof(junk, fc.constantFrom(2 ** 63, -(2 ** 63), "x".repeat(999), deep)),
});

function mutated(body: JsonObject, { at: number, how, by }: Mutation): JsonObject {
  const spots = spotsIn(body);
  const spot = spots[number % Math.max(1, spots.length)];
  if (spot === undefined) return body;
  return edited(body, spot, (value) => {
    if (how === "remove") return undefined;
    if (how === "replace") return by;
    return how === "repeat" && Array.isArray(value) ? [...value, ...value] : [value];
  });
}

/** Mostly of the dialect itself; a server may be asked in the other one's words as well. */
function requests(dialect: Dialect): fc.Arbitrary<readonly Odd[]> {
  const grammars = DIALECTS.map((spoken) => ({
    weight: spoken === dialect ? 5 : 1,
    arbitrary: oddRequest(spoken),
  }));
  const body = fc
    .tuple(fc.oneof(...grammars), fc.array(mutation, { maxLength: 2 }))
    .map(([plain, mutations]) => mutations.reduce(mutated, plain));
  const odd = fc.record(
    {
      body,
      pos: fc.oneof(
        { weight: 6, arbitrary: fc.constant(MINE) },
        { weight: 1, arbitrary: fc.constantFrom("", "x", "0/s1", "-1/", "s1_2_3", "\u0000") },
      ),
      timeout: fc.constantFrom("0", "1", "-1", "", "x", "1.5"),
    },
    { requiredKeys: ["body"] },
  );
  return fc.array(odd as fc.Arbitrary<Odd>, { minLength: 1, maxLength: 60, size: "max" });
}

interface Broken {
  /** Of the request that was not answered as it should be. */
  readonly index: number;
  readonly failure: CheckFailure;
}

interface Asker {
  readonly alice: Session;
  readonly roomId: string;
}

/** A new user with a room. */
async function asker(world: World): Promise<Asker> {
  const alice = await world.user("alice");
  return { alice, roomId: await alice.createRoom({ name: "named" }) };
}

/** Sends them one after the other. */
async function firstBroken(
  dialect: Dialect,
  { alice, roomId }: Asker,
  story: readonly Odd[],
): Promise<Broken | undefined> {
  let mine: unknown;
  for (const [index, { body, pos, timeout }] of story.entries()) {
    const placed = { pos: pos === MINE ? mine : pos, timeout };
    const isInBody = dialect === STABLE;
    const text = JSON.stringify(isInBody ? { ...body, ...placed } : body);
    const call = {
      path: dialect.path,
      query: isInBody ? {} : (placed as Record<string, string | undefined>),
      body: JSON.parse(text.replaceAll(ROOM, roomId)) as JsonObject,
    };
    try {
      const response = await sendPatiently(alice, call, HOLD_MS, undefined);
      const actual = `${response.status} ${response.text.slice(0, 100)}`;
      const expected = "200 or 4xx with an errcode to any request";
      expectThat(isOrderly(response), expected, actual, response);
      mine = at(response.json, "pos") ?? mine;
    } catch (error) {
      if (error instanceof CheckFailure) return { index, failure: error };
      throw error;
    }
  }
  return undefined;
}

/** Goes on after a failure, without requests that have all that the failing one needs. */
async function searchAll(world: World, sync: Sync): Promise<void> {
  const end = Date.now() + world.propertySeconds * 1000;
  const known: { readonly story: readonly Odd[]; readonly found: Found<Odd> }[] = [];
  const unknownIn = (story: readonly Odd[]) =>
    story.filter(
      (odd) => !known.some(({ story: failing }) => includes(odd, failing.at(-1), NAMED)),
    );
  const holds = async (story: readonly Odd[]) => {
    const broken = await firstBroken(sync.dialect, await asker(world), unknownIn(story));
    if (broken !== undefined) throw broken.failure;
  };
  let tried = 0;
  while (Date.now() < end) {
    const options = { end, isShrunk: false };
    const { stories, found } = await findFailing(world, requests(sync.dialect), holds, options);
    tried += stories;
    if (found === undefined) break;
    const story = await smallest(sync, unknownIn(found.value), end + GRACE_MS);
    known.push({ story, found });
  }
  world.note(`${tried} random stories with ${known.length} kinds of requests that fail`);
  const [first] = known;
  if (first === undefined) return;
  const { expected, exchange, actual } = first.found.failure ?? {};
  const kinds = known.map(({ story, found }) => `${JSON.stringify(story)} (${found.how})`);
  throw new CheckFailure(
    expected ?? "an answer",
    `${actual} to the first of ${known.length} kinds of requests: ${kinds.join("; ")}`,
    exchange,
  );
}

/**
 * As few requests as are needed, the failing one last, and of each as little, by trial until a point in time. All trials are
 * of one user, as there are many; what comes of them has to hold for another one, or the story stays as it is.
 */
async function smallest(
  { world, dialect }: Sync,
  story: readonly Odd[],
  end: number,
): Promise<readonly Odd[]> {
  const one = await asker(world);
  let least = story;
  const take = async (shorter: readonly Odd[]) => {
    if (Date.now() >= end) return false;
    const broken = await firstBroken(dialect, one, shorter);
    if (broken !== undefined) least = shorter.slice(0, broken.index + 1);
    return broken !== undefined;
  };
  await take(story);
  await take(least.slice(-1));
  for (let size = Math.ceil(least.length / 2); size > 0; size = Math.floor(size / 2)) {
    for (let from = least.length - 1 - size; from >= 0; from -= size) {
      await take(least.toSpliced(from, size));
    }
  }
  for (let index = least.length - 1; index >= 0; index--) {
    while (await takeFirst(smaller(least[index] ?? { body: {} }), (odd) => least.with(index, odd)));
  }
  const isSame = (await firstBroken(dialect, await asker(world), least)) !== undefined;
  return isSame ? least : story;

  async function takeFirst(odds: Iterable<JsonObject>, place: (odd: Odd) => readonly Odd[]) {
    for (const odd of odds) if (isOdd(odd) && (await take(place(odd)))) return true;
    return false;
  }
}

function isOdd(value: JsonObject): value is Odd {
  return isObject(value.body);
}

check(
  "MSC4186.robust.no-5xx",
  "the server survives whatever it is asked, at random and in either dialect's words",
  { kind: "search" },
  async (world) => await inEachDialect(world, (sync) => searchAll(world, sync)),
);
