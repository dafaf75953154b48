import { STABLE, UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { NoAnswer } from "#harness/clients/sliding-sync/patience";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
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

const OLD_FLAG = "org.matrix.msc3575";

check(
  "MSC4186.endpoint.legacy-3575-not-confused",
  "the server does not advertise the old sliding sync unless it serves it",
  {
    mutant: altersAnswer(
      "advertises it",
      { path: "/_matrix/client/versions", status: 200 },
      { set: { "/unstable_features/org.matrix.msc3575": true } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const versions = ok(await alice.get("/_matrix/client/versions"));
    if (at(versions, "unstable_features", OLD_FLAG) !== true) return;

    const list = { ranges: [[0, 9]], sort: ["by_recency"], timeline_limit: 1, required_state: [] };
    const response = await alice.post(`/_matrix/client/unstable/${OLD_FLAG}/sync`, {
      lists: { all: list },
    });

    expectThat(
      response.status !== 404,
      `an endpoint behind ${OLD_FLAG}`,
      response.status,
      response,
    );
    expectThat(at(response.json, "rooms", roomId) !== undefined, "the room", response.json);
  },
);

const LOGOUT_POLL_MS = 8_171;

check(
  "MSC4186.endpoint.logout-during-poll",
  "the server sends nothing new to a device that has logged out while it waits",
  {
    mutant: answersInstead(
      "sends the message",
      200,
      { pos: "1", rooms: { "!r:hs1": { timeline: [] } } },
      { contains: String(LOGOUT_POLL_MS) },
    ),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const connection = sync.connection(alice);
      const request = { lists: { all: { range: [0, 9] as const, timelineLimit: 5 } } };
      await connection.initial(request);
      await connection.drain(request);
      const poll = connection.start(request, { timeoutMs: LOGOUT_POLL_MS });
      await world.quietPeriod(1_000);
      ok(await alice.post("/_matrix/client/v3/logout"));

      await bob.send(roomId, "a message");

      // A connection that was closed is as good as a refusal.
      const response = await poll.answer.catch((error) => {
        if (error instanceof NoAnswer) return undefined;
        throw error;
      });
      if (response === undefined) return;
      if (response.status === 200) expectEqual(at(response.json, "rooms") ?? {}, {}, "rooms");
      else expectMatrixError(response, 401);
    });
  },
);

const PREFLIGHT = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization, content-type",
  origin: "https://client.example.org",
};

check(
  "MSC4186.endpoint.cors-simple",
  "the server answers a browser's question whether it may sync",
  {
    mutant: ["origin", "methods", "headers"].map((name) => ({
      name: `says nothing about ${name}`,
      rules: [
        {
          match: { method: "OPTIONS", path: STABLE.path },
          phase: "processed" as const,
          action: {
            kind: "rewrite" as const,
            headers: { [`access-control-allow-${name}`]: null },
          },
        },
      ],
    })),
  },
  async (world) => {
    await inDialect(world, STABLE, async ({ dialect }) => {
      const client = world.anonymous();
      const response = await client.request("OPTIONS", dialect.path, { headers: PREFLIGHT });

      const { status, headers } = response;
      const allowed = (name: string) => {
        const value = String(headers[`access-control-allow-${name}`] ?? "");
        return value.toLowerCase().split(/\s*,\s*/);
      };
      expectThat(status >= 200 && status < 300, "success", status, response);
      expectThat(allowed("origin").join() !== "", "an allowed origin", headers, response);
      expectThat(allowed("methods").includes("post"), "POST allowed", headers, response);
      for (const name of ["authorization", "content-type"]) {
        expectThat(allowed("headers").includes(name), `${name} allowed`, headers, response);
      }
    });
  },
);
