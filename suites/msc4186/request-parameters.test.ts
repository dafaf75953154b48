import { STABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectContains, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { expectRefused, expectTaken, takes, withTimeout } from "./bodies.ts";
import { answersInstead, inDialect, inEachDialect } from "./sync.ts";

/** As long as clients make them. */
const USUAL_LENGTH = 16;

check(
  "MSC4186.req.conn-id-type",
  "the server refuses a connection id that is no string, and takes one of 16 characters",
  {
    mutant: [
      takes("a number", '"conn_id":1'),
      answersInstead(
        "refuses the usual length",
        400,
        { errcode: "M_INVALID_PARAM", error: "" },
        { contains: `"${"c".repeat(USUAL_LENGTH)}"` },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const alice = await world.user("alice");
      const ask = (id: unknown) => alice.post(dialect.path, { conn_id: id });

      await expectRefused("conn_id 1", ask(1));
      await expectTaken("conn_id of 16 characters", ask("c".repeat(USUAL_LENGTH)));
      for (const length of [USUAL_LENGTH + 1, 64, 256]) {
        const { status } = await ask("c".repeat(length));
        world.note(`${status} to a conn_id of ${length} characters`);
      }
    });
  },
);

check(
  "MSC4186.req.timeout-type",
  "the server refuses a timeout that is negative or no number",
  { mutant: [takes("it"), answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" })] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { dialect } = sync;
      const alice = await world.user("alice");
      const { body } = dialect.encode({}, {});
      const { pos } = await expectTaken("a first request", alice.post(dialect.path, body));
      for (const timeout of [-1, "x"]) {
        const { body, query } = withTimeout(dialect, String(pos), timeout);
        const errcodes = ["M_BAD_JSON", "M_INVALID_PARAM"];
        await expectRefused(`timeout ${timeout}`, alice.post(dialect.path, body, query), errcodes);
      }
    });
  },
);

check(
  "MSC4186.req.set-presence-invalid",
  "the server refuses a presence that it does not know",
  { mutant: takes("any word") },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const asked = sync.connection(alice).send({}, { setPresence: "bogus" });
      await expectRefused("set_presence bogus", asked, ["M_INVALID_PARAM"]);
    });
  },
);

const STATUS = "/_matrix/client/v3/presence/*/status";

check(
  "MSC4186.req.set-presence-effect",
  "the server marks who syncs as online, as idle, or not at all, as is asked for",
  {
    mutant: altersAnswer(
      "shows everybody as busy",
      { method: "GET", path: STATUS, status: 200 },
      { set: { "/presence": "busy" } },
    ),
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const bob = await world.user("bob");
      const expected = { offline: "offline", unavailable: "unavailable", absent: "online" };
      for (const [setPresence, presence] of Object.entries(expected)) {
        const alice = await world.user("alice");
        await bob.join(await alice.createRoom({ preset: "public_chat" }));
        const status = path`/_matrix/client/v3/presence/${alice.userId}/status`;
        ok(await alice.put(status, { presence: "offline" }));
        const options = setPresence === "absent" ? {} : { setPresence };

        ok(await sync.connection(alice).send(allRooms({ timelineLimit: 1 }), options));

        const read = async () => {
          const response = await bob.get(status);
          expectContains(ok(response), { presence }, `presence after ${setPresence}`, response);
        };
        if (presence === "offline") await world.quietPeriod(1_000);
        await world.eventually(read, { deadlineMs: 5_000 });
      }
    });
  },
);
