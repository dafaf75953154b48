/** Claims and queries between servers. */
import { publishDevice } from "#harness/clients/identities";
import { at, objectAt } from "#harness/match/json";
import { refused } from "#harness/peer/lies";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { KEYS_QUERY } from "./cross-signing.ts";
import {
  ALGORITHM,
  addKeys,
  CLAIM,
  claim,
  claimed,
  expectDifferent,
  gives,
  KEYS_CLAIM,
  names,
  owned,
  publishKeys,
  wanted,
} from "./keys.ts";

const QUERY = { method: "POST", path: KEYS_QUERY };
const FEDERATED_CLAIM = "/_matrix/federation/v1/user/keys/claim";
const CLAIM_ROUTE = `POST ${FEDERATED_CLAIM}`;
const QUERY_ROUTE = "POST /_matrix/federation/v1/user/keys/query";

check(
  "E2EE.claim.unique-federation",
  "the server gives each key out once, to its own users and to those of another server",
  {
    mutant: [
      gives("gives its users and others the same", "K00", ["K01"]),
      gives("gives another server what it has given out", "K00", names("K", 50).slice(1), {
        from: "hs2",
        path: FEDERATED_CLAIM,
      }),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 50), "F");
    const carol = await world.user("carol", "hs2");

    const responses = await Promise.all(
      Array.from({ length: 60 }, (_, index) => claim(index % 2 === 0 ? bob : carol, alice)),
    );

    const keys = responses.map((response) => claimed(response, alice));
    expectDifferent(keys.filter((key) => key?.isFallback === false));
    expectThat(keys.every(Boolean), "a key in each answer", keys.filter((key) => !key).length);
  },
);

check(
  "E2EE.claim.upload-order",
  "the server gives keys out to other servers in the order of their uploads",
  {
    mutant: gives("gives a later one out first", "A00", ["Z00"], {
      from: "peer-*",
      path: FEDERATED_CLAIM,
    }),
  },
  async (world) => {
    const [session, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const alice = await publishKeys(session, names("Z", 3));
    await addKeys(alice, names("A", 3));

    const given = [];
    for (let round = 0; round < 6; round++) {
      const response = await peer.client().claimKeys(wanted(session));
      given.push(claimed(response, alice)?.name);
    }

    expectEqual(given.slice(0, 3).sort(), names("Z", 3), "the keys that are given out first");
    expectEqual(given.slice(3).sort(), names("A", 3), "those that come after them");
  },
);

check(
  "E2EE.claim.remote-failure-isolated",
  "the server names another server that does not answer, and gives the other keys",
  {
    mutant: [
      altersAnswer("does not name it", CLAIM, { set: { "/failures": {} } }),
      altersAnswer("gives nothing then", CLAIM, { set: { "/one_time_keys": {} } }),
      altersAnswer("fails for all", CLAIM, { status: 504, text: "<html>Gateway Timeout</html>" }),
    ],
  },
  async (world) => {
    const [{ alice, bob }, peer] = await Promise.all([owned(world, ["K00"]), world.peer()]);
    const mallory = peer.user("mallory");
    await using _cut = await world.fault({ from: "hs1", to: hostOf(peer.serverName) }, "before", {
      kind: "gate",
    });

    const response = await bob.post(KEYS_CLAIM, {
      timeout: 1_000,
      one_time_keys: { ...wanted(alice.session), [mallory]: { DEVICE: ALGORITHM } },
    });

    expectEqual(claimed(response, alice)?.name, "K00", "the key of the local device", response);
    objectAt(response.json, "failures", peer.serverName);
    const tookMs = Math.round(response.elapsedMs);
    if (tookMs > 5_000) world.note(`with a timeout of 1 s the answer took ${tookMs} ms`);
  },
);

check(
  "E2EE.query.failures",
  "the server names another server that does not answer a query, and answers for its own users",
  {
    mutant: [
      altersAnswer("does not name it", QUERY, { set: { "/failures": {} } }),
      altersAnswer("answers for nobody", QUERY, { set: { "/device_keys": {} } }),
    ],
  },
  async (world) => {
    const [[alice, bob], peer] = await Promise.all([world.users("alice", "bob"), world.peer()]);
    const { keys } = await publishDevice(alice);
    const mallory = peer.user("mallory");
    peer.on(CLAIM_ROUTE, refused(502, "M_UNKNOWN"));
    peer.on(QUERY_ROUTE, refused(502, "M_UNKNOWN"));

    const response = await bob.post(KEYS_QUERY, {
      timeout: 2_000,
      device_keys: { [alice.userId]: [], [mallory]: [] },
    });

    const shown = at(ok(response), "device_keys", alice.userId, alice.deviceId, "keys");
    expectEqual(shown, keys.keys, "the keys of the local user", response);
    objectAt(response.json, "failures", peer.serverName);
  },
);

/** Without its port. */
function hostOf(serverName: string): string {
  return serverName.replace(/:\d+$/, "");
}
