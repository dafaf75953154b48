import fc from "fast-check";
import type { Dialect } from "#harness/clients/sliding-sync/dialect";
import type { Query } from "#harness/http/client";
import { type JsonObject, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectMatrixError, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { isOrderly, listWith, windowOf } from "./bodies.ts";
import { oddRequest } from "./odd-requests.ts";
import { answersInstead, inEachDialect } from "./sync.ts";

const BROKEN = answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" });
const SPEECHLESS = answersInstead("refuses without a reason", 400, {});
const PATIENCE_MS = 10_000;
const SHOWN = 5;

/** Sends them one after the other; tells what is wrong with the answers. */
async function faults(session: Session, dialect: Dialect, bodies: readonly JsonObject[]) {
  const found: string[] = [];
  for (const body of bodies) {
    const response = await session.post(dialect.path, body);
    const { status, durationMs } = response;
    const isSlow = durationMs > PATIENCE_MS * session.context.timeoutScale;
    if (isOrderly(response) && !isSlow) continue;
    found.push(`${status} to ${JSON.stringify(body)} (${Math.round(durationMs)} ms)`);
  }
  return found;
}

function expectNone(found: readonly string[], count: number): void {
  const shown = [...found].sort((a, b) => a.length - b.length).slice(0, SHOWN);
  const expected = `200 or 4xx with an errcode to each of ${count} requests`;
  expectThat(found.length === 0, expected, `${found.length} others: ${shown.join("; ")}`);
}

/** What made servers break. */
function seeds(dialect: Dialect): readonly JsonObject[] {
  const list = (fields: JsonObject) => ({ lists: { all: listWith(dialect, fields) } });
  const extensions = {
    account_data: { enabled: true },
    receipts: { enabled: true },
    [dialect.extensions.typing]: { enabled: true },
  };
  const states =
    dialect.name === "stable"
      ? [{ include: [{ state_key: "" }] }, { include: [{ state_key: "x" }] }, { exclude: [{}] }]
      : [[["*", ""]], [["*", "x"]], [["m.room.member", "$NOPE"]], [["m.room.member", "$ME"]]];
  return [
    ...states.map((state) => list({ required_state: state })),
    list({ filters: { room_name_like: "name" } }),
    list({ filters: { spaces: ["!space:example.org"] } }),
    list({ filters: { room_types: [null] }, slow_get_all_rooms: true }),
    { ...list({ range: undefined, ranges: undefined }), extensions },
    {
      ...list({
        range: undefined,
        ranges: [
          [0, 1],
          [3, 4],
        ],
      }),
      extensions,
    },
    { ...list(windowOf(dialect, [0, Number.MAX_SAFE_INTEGER])), extensions },
    { room_subscriptions: { "no room id": {} } },
  ];
}

async function alone(world: World): Promise<Session> {
  const alice = await world.user("alice");
  await alice.createRoom({ name: "named" });
  return alice;
}

check(
  "MSC4186.robust.no-5xx",
  "the server survives requests that are unusual",
  { mutant: [BROKEN, SPEECHLESS] },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const bodies = seeds(dialect);
      expectNone(await faults(await alone(world), dialect, bodies), bodies.length);
    });
  },
);

const RANDOM = 120;
/** One and the same for all, so that runs can be compared. */
const SEED = 4186;

check(
  "MSC4186.robust.no-5xx",
  "the server survives requests made at random",
  { mutant: [BROKEN, SPEECHLESS], deadlineMs: 120_000 },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const bodies = fc.sample(oddRequest(dialect), { numRuns: RANDOM, seed: SEED });
      expectNone(await faults(await alone(world), dialect, bodies), RANDOM);
    });
  },
);

check(
  "MSC4186.robust.guest",
  "the server lets guests sync, or says that it does not",
  { mutant: [BROKEN, answersInstead("gives another reason", 403, { errcode: "M_FORBIDDEN" })] },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const anonymous = world.anonymous();
      const registered = await anonymous.post("/_matrix/client/v3/register", {}, { kind: "guest" });
      if (registered.status !== 200) world.needs("guests");
      const guest = ok(registered);
      const account = { userId: textAt(guest, "user_id"), localpart: "", password: "" };
      const session = world.session("hs1", account, {
        accessToken: textAt(guest, "access_token"),
        deviceId: textAt(guest, "device_id"),
      });

      const response = await session.post(dialect.path, { lists: { all: listWith(dialect) } });

      if (response.status !== 200) expectMatrixError(response, 403, "M_GUEST_ACCESS_FORBIDDEN");
      else ok(response);
    });
  },
);

/** A user of the application service, whose token belongs to no device. */
async function ghost(world: World): Promise<{ session: Session; query: Query }> {
  const { asToken, senderLocalpart, prefix } = world.deployment.appservice;
  const { serverName } = world.server();
  const sender = { userId: `@${senderLocalpart}:${serverName}`, localpart: "", password: "" };
  const session = world.session("hs1", sender, { accessToken: asToken, deviceId: "" });
  const registered = await session.post("/_matrix/client/v3/register", {
    type: "m.login.application_service",
    username: world.name(`${prefix}ghost`),
    inhibit_login: true,
  });
  return { session, query: { user_id: textAt(ok(registered), "user_id") } };
}

async function expectAnswer(world: World, bodyOf: (dialect: Dialect) => JsonObject): Promise<void> {
  await inEachDialect(world, async ({ dialect }) => {
    const { session, query } = await ghost(world);
    ok(await session.post("/_matrix/client/v3/createRoom", {}, query));

    const response = await session.post(dialect.path, bodyOf(dialect), query);

    expectThat(isOrderly(response), "200 or 4xx with an errcode", response.status, response);
  });
}

check(
  "MSC4186.robust.deviceless-token",
  "the server answers to a token without a device that asks for nothing",
  { mutant: [BROKEN, SPEECHLESS] },
  async (world) => await expectAnswer(world, () => ({})),
);

check(
  "MSC4186.robust.deviceless-token",
  "the server answers to a token without a device that asks for a list",
  { mutant: [BROKEN, SPEECHLESS] },
  async (world) => await expectAnswer(world, (dialect) => ({ lists: { all: listWith(dialect) } })),
);
