import { path } from "#harness/http/client";
import { at, type JsonObject, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { ROOM } from "./rooms.ts";

const SYNC = "/_matrix/client/v3/sync";
const PUSHERS = "/_matrix/client/v3/pushers";
const SET_PUSHER = "/_matrix/client/v3/pushers/set";
const COUNTS = "/rooms/join/*/unread_notifications";

/** Notifications and highlights of a room in a /sync body. */
function counts(body: JsonObject | undefined, roomId: string): readonly [unknown, unknown] {
  const shown = at(body, "rooms", "join", roomId, "unread_notifications");
  return [at(shown, "notification_count"), at(shown, "highlight_count")];
}

check(
  "CS.push.counts",
  "the server counts notifications and highlights with the event, and clears both by a receipt",
  {
    mutant: [
      altersAnswer("counts nothing", { path: SYNC }, { remove: [COUNTS] }),
      altersAnswer(
        "sees no highlights",
        { path: SYNC },
        { set: { [`${COUNTS}/highlight_count`]: 0 } },
      ),
      altersAnswer(
        "sees highlights only",
        { path: SYNC },
        { set: { [`${COUNTS}/highlight_count`]: 1 } },
      ),
      claims("ignores the receipt", { path: `${ROOM}/receipt/**` }, {}),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const start = await bob.syncToken();
    const mention = { msgtype: "m.text", body: "you!", "m.mentions": { user_ids: [bob.userId] } };

    const plain = await alice.send(roomId, "hello");
    const afterPlain = await bob.syncUntilEvent(start, roomId, plain);
    const highlight = await alice.send(roomId, mention);
    const afterHighlight = await bob.syncUntilEvent(afterPlain.since, roomId, highlight);
    ok(await bob.post(path`/_matrix/client/v3/rooms/${roomId}/receipt/m.read/${highlight}`));

    const seen = [afterPlain, afterHighlight].map(({ bodies }) => counts(bodies.at(-1), roomId));
    expectEqual(
      seen,
      [
        [1, 0],
        [2, 1],
      ],
      "notifications and highlights in the syncs with the two events",
    );
    await bob.syncUntil(afterHighlight.since, "no notifications and highlights", (body) => {
      const [notifications, highlights] = counts(body, roomId);
      return notifications === 0 && highlights === 0 ? true : undefined;
    });
  },
);

/** Within it servers may have added counts up; Synapse does so each 30 s. */
const SUMMARY_MS = 35_000;

check(
  "CS.push.counts-purged",
  "the server counts nothing that an administrator has purged",
  {
    deadlineMs: 120_000,
    mutant: altersAnswer(
      "counts what is gone",
      { path: SYNC, contains: "mark=purged" },
      { set: { [`${COUNTS}/notification_count`]: 3 } },
    ),
  },
  async (world) => {
    const [alice, bob, admin] = await Promise.all([
      world.user("alice"),
      world.user("bob"),
      world.admin(),
    ]);
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const start = await bob.syncToken();
    const read = await alice.send(roomId, "read");
    ok(await bob.post(path`/_matrix/client/v3/rooms/${roomId}/receipt/m.read/${read}`));
    for (const text of ["one", "two"]) await alice.send(roomId, text);
    const last = await alice.send(roomId, "three");
    const { bodies } = await bob.syncUntilEvent(start, roomId, last);
    await world.quietPeriod(SUMMARY_MS);

    await world.administration(admin.accessToken).purge(roomId, last);

    expectEqual(counts(bodies.at(-1), roomId), [3, 0], "counts before");
    await world.eventually(async () => {
      const body = await bob.sync({ query: { "org.example.mark": "purged" } });
      expectEqual(counts(body, roomId), [1, 0], "counts of the message that is left");
    });
  },
);

check(
  "CS.push.own-event-clears",
  "the server counts earlier notifications as read once the user sends an event",
  {
    mutant: altersAnswer(
      "never clears",
      { path: SYNC },
      { set: { [`${COUNTS}/notification_count`]: 1 } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const start = await bob.syncToken();
    await alice.send(roomId, "hello");
    const { since } = await bob.syncUntil(start, "one notification", (body) =>
      counts(body, roomId)[0] === 1 ? true : undefined,
    );

    await bob.send(roomId, "hello yourself");

    let [token, shown]: [string, unknown] = [since, 1];
    await world.eventually(
      async () => {
        const body = await bob.sync({ since: token });
        token = body.next_batch;
        shown = counts(body, roomId)[0] ?? shown;
        expectEqual(shown, 0, "notification_count after the own message");
      },
      { deadlineMs: 5_000 },
    );
  },
);

/** The body of POST /pushers/set for a pusher. */
function pusher(pushkey: string) {
  return {
    kind: "http",
    app_id: "org.example.app",
    pushkey,
    app_display_name: "An app",
    device_display_name: "A phone",
    lang: "en",
    data: { url: "https://push.example.org/_matrix/push/v1/notify", format: "event_id_only" },
  };
}

/** The user's pushers by pushkey. */
async function pushers(session: Session): Promise<ReadonlyMap<string, unknown>> {
  const list = listAt(ok(await session.get(PUSHERS)), "pushers");
  return new Map(list.map((each) => [textAt(each, "pushkey"), each]));
}

check(
  "CS.push.pushers",
  "the server sets, lists, changes and removes pushers",
  {
    mutant: [
      altersAnswer("lists none", { path: PUSHERS }, { body: { pushers: [] } }),
      altersAnswer("loses their data", { path: PUSHERS }, { remove: ["/pushers/*/data/format"] }),
      claims("does not change them", { path: SET_PUSHER, contains: '"lang":"de"' }, {}),
      claims("does not remove them", { path: SET_PUSHER, contains: '"kind":null' }, {}),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const [first, second] = [pusher(world.name("first")), pusher(world.name("second"))];
    const { app_id, pushkey } = first;

    const set = [await alice.post(SET_PUSHER, first), await alice.post(SET_PUSHER, second)];
    const both = await pushers(alice);
    const changed = await alice.post(SET_PUSHER, { ...second, lang: "de" });
    const removed = await alice.post(SET_PUSHER, { kind: null, app_id, pushkey });
    const left = await pushers(alice);

    for (const response of [...set, changed, removed])
      expectEqual(ok(response), {}, "the answer", response);
    for (const each of [first, second])
      expectContains(both.get(each.pushkey), each, "the listed pusher");
    expectEqual([...left.keys()], [second.pushkey], "the pushkeys after the removal");
    expectContains(left.get(second.pushkey), { ...second, lang: "de" }, "the changed pusher");
  },
);

check(
  "CS.push.pushers",
  "the server refuses a pusher with a missing key",
  {
    mutant: [
      altersAnswer("takes any", { path: SET_PUSHER, status: 400 }, { status: 200, body: {} }),
      altersRequest(
        "refuses them, and yet sets them",
        { path: SET_PUSHER },
        { set: { "/app_id": "org.example.app" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const whole = pusher(world.name("pushkey"));

    for (const key of Object.keys(whole)) {
      const response = await alice.post(SET_PUSHER, { ...whole, [key]: undefined });

      const errcode = expectMatrixError(response, 400, ["M_MISSING_PARAM", "M_BAD_JSON"]);
      if (errcode !== "M_MISSING_PARAM") world.note(`a pusher without ${key} answers ${errcode}`);
    }

    expectEqual([...(await pushers(alice)).keys()], [], "the pushkeys after the refusals");
  },
);
