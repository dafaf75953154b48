import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError } from "#harness/world/expect";
import { answers, answersInstead, inDialect, type Sync } from "./sync.ts";
import { NOTE, notify, pageOf, receive, request, tokenOf } from "./to-device.ts";

const EVENTS = "/extensions/to_device/events";
const _NEXT = "/extensions/to_device/next_batch";
/** A limit by which mutants know the requests of a check's last act. */
const _MARK = { limit: 77 };
const _MARKED = { contains: '"limit":77' };

function note(text: string) {
  return { type: NOTE, sender: "@bob:hs1", content: { text } };
}

const LOSES = answers("loses messages", { set: { [EVENTS]: [] } });

check(
  "MSC3885.todevice.since-invalid",
  "the server refuses a since that is none",
  { mutant: answersInstead("answers to any since", 200, { pos: "1" }, { status: 400 }) },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const connection = sync.connection(await world.user("alice"));
      expectMatrixError(await connection.send(request({ since: "abc" })), 400);
    });
  },
);

check(
  "MSC3885.todevice.since-invalid",
  "the server does not swallow messages when since is from the future",
  { mutant: LOSES },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const connection = sync.connection(alice);
      const token = await tokenOf(connection);
      const future = token.replace(/\d+(?=\D*$)/, (digits) => String(Number(digits) + 1_000_000));
      if (future === token) {
        world.note("the tokens have no number that could be raised");
        return;
      }

      const response = await connection.send(request({ since: future }));
      if (response.status !== 200) {
        expectMatrixError(response, 400);
        return;
      }
      const { next } = pageOf(connection.process(request({ since: future }), response));
      await notify(bob, alice, ["hello"]);
      const { texts, http } = await receive(connection, { since: next });

      expectEqual(texts, ["hello"], "the messages after a since from the future", http);
    });
  },
);

const UNLIMITED = answers("takes it for no limit", { set: { [EVENTS]: [note("1"), note("2")] } });

async function expectNoneSkipped({ world, connection: connect }: Sync, limit: number) {
  const [alice, bob] = await world.users("alice", "bob");
  const connection = connect(alice);
  const since = await tokenOf(connection);
  await notify(bob, alice, ["1", "2"]);

  const response = await connection.send(request({ since, limit }));
  if (response.status !== 200) {
    expectMatrixError(response, 400);
    return;
  }
  const { texts, next } = pageOf(connection.process(request({ since, limit }), response));
  const later = await receive(connection, { since: next });

  expectEqual(texts, [], "the messages", response);
  expectEqual(later.texts, ["1", "2"], "the messages after it", later.http);
}

check(
  "MSC3885.todevice.bad-limit",
  "the server sends no messages for a limit of 0, and skips none",
  { mutant: UNLIMITED },
  async (world) => await inDialect(world, UNSTABLE, (sync) => expectNoneSkipped(sync, 0)),
);

check(
  "MSC3885.todevice.bad-limit",
  "the server sends no messages for a limit of -1, and skips none",
  { mutant: UNLIMITED },
  async (world) => await inDialect(world, UNSTABLE, (sync) => expectNoneSkipped(sync, -1)),
);
