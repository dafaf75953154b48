import { path } from "#harness/http/client";
import { eventsAt, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";

const SYNC = { method: "GET", path: "/_matrix/client/v3/sync" };
const DATA = "/_matrix/client/v3/user/*/account_data/*";

/** What a client stores of its secrets: to servers it is any text. */
const KEY = "m.secret_storage.key.KEY";
const ENCRYPTED = { encrypted: { KEY: { iv: "iv", ciphertext: "text", mac: "text" } } };
const STORED: Readonly<Record<string, JsonObject>> = {
  [KEY]: {
    algorithm: "m.secret_storage.v1.aes-hmac-sha2",
    name: "a key",
    iv: "iv",
    mac: "text",
    "org.example.more": [1, null, { deep: true }],
  },
  "m.secret_storage.default_key": { key: "KEY" },
  "m.cross_signing.master": ENCRYPTED,
  "m.cross_signing.self_signing": ENCRYPTED,
  "m.cross_signing.user_signing": ENCRYPTED,
  "m.megolm_backup.v1": ENCRYPTED,
};

function target({ userId }: Session, type: string): string {
  return path`/_matrix/client/v3/user/${userId}/account_data/${type}`;
}

function dataIn(body: unknown, type: string): JsonObject | undefined {
  return eventsAt(body, "account_data", "events").findLast((event) => event.type === type)?.content;
}

check(
  "E2EE.ssss.account-data",
  "the server gives back what clients store of their secrets as they stored it",
  {
    mutant: [
      altersAnswer(
        "strips what it does not know",
        { method: "GET", path: DATA },
        { remove: ["/org.example.more"] },
      ),
      claims("stores nothing", { method: "PUT", path: DATA }, {}),
      altersAnswer("leaves it out of a first sync", SYNC, { set: { "/account_data/events": [] } }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const second = await world.login(alice);

    for (const [type, content] of Object.entries(STORED)) {
      ok(await alice.put(target(alice, type), content));
    }
    const read: Record<string, unknown> = {};
    for (const type of Object.keys(STORED)) read[type] = ok(await second.get(target(alice, type)));
    const first = await second.sync();

    expectEqual(read, STORED, "what another device reads");
    const synced = Object.keys(STORED).map((type) => [type, dataIn(first, type)]);
    expectEqual(Object.fromEntries(synced), STORED, "what a first sync has");
  },
);

check(
  "E2EE.ssss.sync-other-devices",
  "the server tells other devices of a new key for secrets",
  {
    mutant: altersAnswer(
      "tells other devices nothing",
      { ...SYNC, contains: "since=" },
      { remove: ["/account_data"] },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const second = await world.login(alice);
    const type = "m.secret_storage.default_key";
    ok(await alice.put(target(alice, type), { key: "OLD" }));
    const since = await second.syncToken();

    ok(await alice.put(target(alice, type), { key: "NEW" }));
    const { found } = await second.syncUntil(since, "the new default key", (body) =>
      dataIn(body, type),
    );

    expectEqual(found, { key: "NEW" }, "the default key");
  },
);
