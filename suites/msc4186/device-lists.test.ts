import { publishDevice, publishIdentity } from "#harness/clients/identities";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectThat } from "#harness/world/expect";
import { E2EE, listed, SECTION, untilListed } from "./e2ee.ts";
import { answers, inDialect } from "./sync.ts";

const CHANGED = `${SECTION}/device_lists/changed`;
const SILENT = answers("tells no changes", { remove: [`${SECTION}/device_lists`] });

check(
  "MSC3884.e2ee.device-lists-changed",
  "the server names users in an encrypted room whose devices or keys have changed, and no others",
  {
    mutant: [
      SILENT,
      answers("names strangers", { set: { [`${CHANGED}/-`]: "@stranger:hs1" } }),
      answers("misses changes", { set: { [CHANGED]: [] } }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
      await encryptedRoom(alice, bob);
      await encryptedRoom(charlie);
      const connection = sync.connection(alice);
      await connection.initial(E2EE);
      await connection.drain(E2EE);

      await publishDevice(charlie);
      await publishDevice(bob);
      const afterKeys = await untilListed(connection, "changed", bob);
      await connection.drain(E2EE);
      await publishDevice(await world.login(bob));
      const afterLogin = await untilListed(connection, "changed", bob);
      await connection.drain(E2EE);
      await publishIdentity(charlie);
      await publishIdentity(bob);
      const afterSigning = await untilListed(connection, "changed", bob);

      for (const answer of [...afterKeys, ...afterLogin, ...afterSigning]) {
        const others = listed(answer, "changed").filter(
          (user) => user !== alice.userId && user !== bob.userId,
        );
        expectEqual(others, [], "the others that have changed", answer.http);
      }
    });
  },
);

check(
  "MSC3884.e2ee.device-lists-join",
  "the server names those who come to share an encrypted room, and those who leave the last",
  {
    mutant: [
      answers("does not name who came", { set: { [CHANGED]: [] } }),
      answers("does not name who left", { set: { [`${SECTION}/device_lists/left`]: [] } }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      await publishDevice(bob);
      const first = await encryptedRoom(alice);
      const second = await encryptedRoom(alice);
      const connection = sync.connection(alice);
      await connection.initial(E2EE);

      await bob.join(first);
      await untilListed(connection, "changed", bob);
      await bob.join(second);
      await connection.drain(E2EE);
      await bob.leave(first);
      const answer = await connection.sync(E2EE);
      await bob.leave(second);
      await untilListed(connection, "left", bob);

      const isGone = listed(answer, "left").includes(bob.userId);
      expectThat(!isGone, "nobody in left who shares a room still", answer.extensions, answer.http);
    });
  },
);

check(
  "MSC3884.e2ee.device-lists-all-rooms",
  "the server names changed users of any room, whatever the rules of the request",
  { mutant: SILENT },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      await encryptedRoom(alice, bob);
      const other = await alice.createRoom();
      const requests = [
        E2EE,
        { ...E2EE, lists: { newest: { range: [0, 0] as const, timelineLimit: 1 } } },
        { ...E2EE, subscriptions: { [other]: { timelineLimit: 1 } } },
      ];
      const connections = requests.map((request, index) => ({
        request,
        connection: sync.connection(alice, `rules-${index}`),
      }));
      for (const { connection, request } of connections) await connection.initial(request);

      await publishDevice(bob);

      for (const { connection, request } of connections) {
        await untilListed(connection, "changed", bob, request);
      }
    });
  },
);

check(
  "MSC3884.e2ee.device-lists-retry",
  "the server names changed users again when the answer was lost",
  {
    mutant: answers(
      "takes the lost answer for received",
      { set: { [CHANGED]: [] } },
      { contains: "timeout=1" },
    ),
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      await encryptedRoom(alice, bob);
      const connection = sync.connection(alice);
      await connection.initial(E2EE);
      await publishDevice(bob);
      await world.eventually(async () => {
        const lost = await connection.lose(E2EE);
        const changed = listed(lost, "changed");
        expectThat(changed.includes(bob.userId), "bob among the changed users", changed);
      });

      const answer = await connection.sync(E2EE, { timeoutMs: 1 });

      const changed = listed(answer, "changed");
      expectThat(changed.includes(bob.userId), "bob again", changed, answer.http);
    });
  },
);
