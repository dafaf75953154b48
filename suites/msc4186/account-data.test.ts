import { awakeMs } from "#harness/awake";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat, ok } from "#harness/world/expect";
import { globals, KEY, markRead, ofRoom, set, typeName } from "./account-data.ts";
import { withExtension } from "./extensions.ts";
import { wokenBy } from "./polls.ts";
import { answers, inDialect } from "./sync.ts";

const ALL = withExtension(allRooms({ timelineLimit: 1 }), KEY);
const GLOBAL = "/extensions/account_data/global";
const FORGETS_GLOBAL = answers("leaves a global entry out", { remove: [`${GLOBAL}/-1`] });
const FORGETS_ROOMS = answers("leaves rooms out", { remove: ["/extensions/account_data/rooms/*"] });

check(
  "MSC3959.accountdata.initial-global",
  "the server sends all global account data and the push rules first",
  {
    mutant: [
      answers("leaves push rules out", { replace: [['"m.push_rules"', '"other"']] }),
      answers("leaves a type out", { replace: [["org.matrix-crucible.second", "other"]] }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      await set(alice, typeName("first"), { n: 1 });
      await set(alice, typeName("second"), { n: 2 });

      const answer = await sync.connection(alice).initial(withExtension({}, KEY));

      const global = globals(answer);
      expectEqual(global.get(typeName("first")), { n: 1 }, "the first type", answer.http);
      expectEqual(global.get(typeName("second")), { n: 2 }, "the second type", answer.http);
      expectThat(global.has("m.push_rules"), "push rules", [...global.keys()], answer.http);
    });
  },
);

check(
  "MSC3959.accountdata.global-delta",
  "the server sends global entries that have changed, and the push rules whole",
  {
    mutant: [
      answers("sends a part of the push rules", {
        remove: [`${GLOBAL}/*/content/global/override`],
      }),
      FORGETS_GLOBAL,
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      await set(alice, typeName("first"), { n: 1 });
      await set(alice, typeName("second"), { n: 2 });
      const request = withExtension({}, KEY);
      const connection = sync.connection(alice);
      await connection.initial(request);
      const untilChanged = (type: string) =>
        connection.until(request, `${type} in the account data`, (answer) =>
          globals(answer).has(type) ? answer : undefined,
        );

      await set(alice, typeName("first"), { n: 3 });
      const changed = await untilChanged(typeName("first"));
      const rule = path`/_matrix/client/v3/pushrules/global/content/${world.name("rule")}`;
      ok(await alice.put(rule, { pattern: "crucible", actions: ["notify"] }));
      const rules = await untilChanged("m.push_rules");

      expectEqual(globals(changed).get(typeName("first")), { n: 3 }, "the entry", changed.http);
      const expected = ok(await alice.get("/_matrix/client/v3/pushrules/"));
      expectContains(globals(rules).get("m.push_rules"), expected, "the push rules", rules.http);
      if (globals(changed).size > 1) world.note("entries that have not changed are sent again");
    });
  },
);

check(
  "MSC3959.accountdata.wakes",
  "the server ends a poll when global account data changes",
  { mutant: FORGETS_GLOBAL },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(ALL);

      const answer = await wokenBy(sync, connection, ALL, "new account data", () =>
        set(alice, typeName("new"), {}),
      );
      await connection.drain(ALL);
      const poll = connection.sync(ALL, { timeoutMs: 3_000 });
      await world.quietPeriod(500);
      const before = awakeMs();
      await set(alice, typeName("room"), {}, roomId);
      await poll;
      const hasWoken = awakeMs() - before < 2_000;

      expectThat(globals(answer).has(typeName("new")), "the entry", answer.extensions, answer.http);
      if (!hasWoken) world.note("account data of a room does not end a poll");
    });
  },
);

check(
  "MSC3959.accountdata.other-device",
  "the server sends what another device of the user has changed",
  { mutant: [FORGETS_GLOBAL, FORGETS_ROOMS] },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      const second = await world.login(alice);
      const roomId = await alice.createRoom();
      const eventId = await alice.send(roomId, "read");
      const connection = sync.connection(alice);
      await connection.initial(ALL);

      await set(second, typeName("new"), { n: 1 });
      await connection.until(ALL, "the global entry", (answer) =>
        globals(answer).get(typeName("new")),
      );
      await markRead(second, roomId, eventId);
      await alice.send(roomId, "next result");
      const marker = await connection.until(ALL, "m.fully_read", (answer) =>
        ofRoom(answer, roomId).get("m.fully_read"),
      );

      expectEqual(marker, { event_id: eventId }, "m.fully_read");
    });
  },
);
