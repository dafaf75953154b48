import { STABLE, UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { answers, answersInstead, inDialect, inEachDialect, type Sync } from "./sync.ts";

const REFUSED = { errcode: "M_UNRECOGNIZED", error: "" };

async function expectServed({ world, dialect }: Sync): Promise<void> {
  const alice = await world.user("alice");
  const body = ok(await alice.post(dialect.path, {}));
  expectThat(
    typeof body.pos === "string" && body.pos !== "",
    "pos to be a string with something in it",
    body,
  );
}

function servedMutants() {
  return [
    answersInstead("does not know the path", 404, REFUSED),
    answers("gives no position", { remove: ["/pos"] }),
    answers("gives an empty position", { set: { "/pos": "" } }),
  ];
}

check(
  "MSC4186.endpoint.stable-path",
  "the server serves sliding sync on the stable path",
  { mutant: servedMutants() },
  async (world) => await inDialect(world, STABLE, expectServed),
);

check(
  "MSC4186.endpoint.unstable-path",
  "the server serves sliding sync on the path that its flag promises",
  { mutant: servedMutants() },
  async (world) => await inDialect(world, UNSTABLE, expectServed),
);

check(
  "MSC4186.endpoint.auth-missing",
  "the server refuses sliding sync without a token",
  { mutant: answersInstead("answers to anybody", 200, { pos: "1" }) },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      expectMatrixError(await world.anonymous().post(dialect.path, {}), 401, "M_MISSING_TOKEN");
    });
  },
);

check(
  "MSC4186.endpoint.auth-unknown",
  "the server refuses the token of a device that has logged out, with its position too",
  {
    mutant: answersInstead("knows the token still", 200, { pos: "1", rooms: {} }, { status: 401 }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const connection = sync.connection(alice);
      const request = { lists: { all: { range: [0, 9] as const, timelineLimit: 1 } } };
      await connection.initial(request);
      ok(await alice.post("/_matrix/client/v3/logout"));

      const response = await connection.send(request);

      expectMatrixError(response, 401, "M_UNKNOWN_TOKEN");
    });
  },
);

async function otherMethod(world: World, path: string) {
  const alice = await world.user("alice");
  return await alice.get(path);
}

check(
  "MSC4186.endpoint.method",
  "the server answers no other method than POST",
  { mutant: answersInstead("answers GET", 200, { pos: "1" }, { method: "GET" }) },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const response = await otherMethod(world, dialect.path);
      expectMatrixError(response, [404, 405], "M_UNRECOGNIZED");
      if (response.status === 404) world.note("another method answers 404, not 405");
      expectEqual(response.text.includes('"pos"'), false, "sync data in the refusal", response);
    });
  },
);
