import { oneTimeKeys, publishDevice } from "#harness/clients/identities";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectThat } from "#harness/world/expect";
import { ALGORITHM, claim, E2EE, KnownKeys, SECTION, withKeys } from "./e2ee.ts";
import { answersAtOnce } from "./polls.ts";
import { answers, inDialect } from "./sync.ts";

const COUNT = `${SECTION}/device_one_time_keys_count`;
const FALLBACK = `${SECTION}/device_unused_fallback_key_types`;

check(
  "MSC3884.e2ee.otk-count",
  "the server counts the one-time keys that nobody has claimed, down to none",
  {
    mutant: [
      answers("leaves the counts out", { remove: [COUNT] }),
      answers("counts keys that were claimed", { set: { [COUNT]: { [ALGORITHM]: 1 } } }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob } = await withKeys(world, { one_time_keys: oneTimeKeys(["AAAA"]) });
      const connection = sync.connection(alice);
      const known = new KnownKeys();

      const first = await connection.initial(E2EE);
      known.take(first);
      expectEqual(known.count, 1, "the count", first.http);
      await claim(bob, alice);
      const second = await connection.sync(E2EE);
      known.take(second);
      expectEqual(known.count, 0, "the count after the claim", second.http);
    });
  },
);

check(
  "MSC3884.e2ee.otk-change-delivered",
  "the server tells a changed count in the next answer",
  {
    mutant: [
      answers("tells the former count", { set: { [COUNT]: { [ALGORITHM]: 2 } } }),
      answers("tells counts in the first answer only", { remove: [COUNT] }, { contains: "pos=" }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const keys = oneTimeKeys(["AAAA", "AAAB"]);
      const { alice, bob } = await withKeys(world, { one_time_keys: keys });
      const connection = sync.connection(alice);
      const known = new KnownKeys();
      known.take(await connection.initial(E2EE));

      await claim(bob, alice);
      const idle = await connection.sync(E2EE);
      known.take(idle);
      expectEqual(known.count, 1, "the count after a claim between requests", idle.http);
      const poll = connection.sync(E2EE, { timeoutMs: 2_000 });
      await claim(bob, alice);
      known.take(await poll);
      // The claim may have been a moment too late for the poll.
      const next = await connection.sync(E2EE);
      known.take(next);
      expectEqual(known.count, 0, "the count after a claim during a poll", next.http);
    });
  },
);

check(
  "MSC3884.e2ee.fallback",
  "the server tells which fallback keys nobody has used, and that none is left",
  {
    mutant: [
      answers(
        "leaves the field out when it is empty",
        { remove: [FALLBACK] },
        { contains: "pos=" },
      ),
      answers("does not notice the use", { set: { [FALLBACK]: [ALGORITHM] } }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob } = await withKeys(world, {
        one_time_keys: oneTimeKeys(["AAAA"]),
        fallback_keys: oneTimeKeys(["FFFF"], { fallback: true }),
      });
      const connection = sync.connection(alice);
      const known = new KnownKeys();
      const expectUnused = async (expected: readonly string[], when: string) => {
        const answer = await connection.sync(E2EE);
        known.take(answer);
        expectEqual(known.fallback, expected, `the unused fallback keys ${when}`, answer.http);
      };

      await expectUnused([ALGORITHM], "in the first answer");
      await claim(bob, alice);
      await expectUnused([ALGORITHM], "after the one-time key was claimed");
      await claim(bob, alice);
      await expectUnused([], "after it was used");
    });
  },
);

check(
  "MSC3884.e2ee.initial-no-changes",
  "the server sends lists of users in device_lists of a first answer, or none",
  {
    mutant: answers("sends something else", {
      set: { [`${SECTION}/device_lists`]: { changed: 1 } },
    }),
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      await encryptedRoom(alice, bob);
      await publishDevice(bob);

      const { extensions, http } = await sync.connection(alice).initial(E2EE);

      for (const key of ["changed", "left"]) {
        const list = at(extensions, "e2ee", "device_lists", key) ?? [];
        expectThat(Array.isArray(list), `a list of users in ${key}`, list, http);
        if (list.length > 0) world.note(`the first answer has users in device_lists.${key}`);
      }
    });
  },
);

check(
  "MSC3884.e2ee.quiet-poll",
  "the server does not end a poll because it has counts to send",
  {
    mutant: answersAtOnce("timeout=1500"),
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice } = await withKeys(world, { one_time_keys: oneTimeKeys(["AAAA"]) });
      const connection = sync.connection(alice);
      await connection.initial(E2EE);
      await connection.drain(E2EE);

      const { http } = await connection.sync(E2EE, { timeoutMs: 1_500 });

      const tookMs = Math.round(http.elapsedMs);
      expectThat(tookMs >= 1_400, "no answer before 1400 ms", `one after ${tookMs} ms`, http);
    });
  },
);
