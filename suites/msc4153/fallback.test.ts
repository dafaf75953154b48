import { UNSTABLE_PATH } from "#harness/clients/sliding-sync/dialect";
import type { HttpResponse, Query } from "#harness/http/client";
import { at, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { KEYS_UPLOAD } from "./cross-signing.ts";
import {
  ALGORITHM,
  CLAIM,
  COUNT,
  claim,
  claimAll,
  claimed,
  claimName,
  fallbackKeys,
  gives,
  material,
  names,
  type Owner,
  owned,
  syncs,
  UNUSED,
} from "./keys.ts";

/** Types of unused fallback keys by a sync from this token, and the token after it. */
async function unused({ session }: Owner, since: string) {
  const body = await session.sync({ since });
  return { types: at(body, "device_unused_fallback_key_types"), next: body.next_batch, body };
}

async function uploadFallback(owner: Owner, name: string): Promise<void> {
  ok(await owner.session.post(KEYS_UPLOAD, { fallback_keys: fallbackKeys(owner, name) }));
}

check(
  "E2EE.claim.fallback-when-empty",
  "the server gives the fallback key out, again and again, when nothing else is left",
  {
    mutant: [
      altersAnswer(
        "gives nothing",
        { ...CLAIM, contains: '"timeout":100' },
        { remove: ["/one_time_keys/*/*"] },
      ),
      altersAnswer("does not call it a fallback key", CLAIM, {
        set: { "/one_time_keys/*/*/*/fallback": false },
      }),
      {
        name: "deletes it with its first use",
        rules: [
          {
            match: { ...CLAIM, contains: "1003" },
            phase: "processed",
            action: { kind: "rewrite", set: { "/one_time_keys": {} } },
          },
        ],
      },
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 2), "F");
    const first = [await claimName(bob, alice), await claimName(bob, alice)];

    const responses = [];
    for (const timeout of [1001, 1002, 1003]) responses.push(await claim(bob, alice, { timeout }));

    expectEqual(first.sort(), names("K", 2), "the one-time keys");
    for (const response of responses) {
      const key = claimed(response, alice);
      expectEqual([key?.name, key?.isFallback], ["F", true], "the key", response);
      expectEqual(key?.key.key, material("F"), "its material", response);
    }
  },
);

check(
  "E2EE.claim.fallback-marked-used",
  "the server tells that a fallback key was given out",
  {
    mutant: [
      syncs("does not notice", { set: { [UNUSED]: [ALGORITHM] } }),
      syncs("calls a key used that nobody has", { set: { [UNUSED]: [] } }),
      syncs("counts keys that are gone", { set: { [COUNT]: 1 } }, { contains: "since=" }),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 2), "F");
    const since = await alice.session.syncToken();
    const before = await unused(alice, since);

    await claimAll(bob, alice);
    const after = await unused(alice, before.next);

    expectEqual(before.types, [ALGORITHM], "the unused fallback keys before");
    expectEqual(after.types, [], "the unused fallback keys after it was given out");
    const counted = at(after.body, "device_one_time_keys_count", ALGORITHM) ?? 0;
    expectEqual(counted, 0, "the count of one-time keys");
  },
);

check(
  "E2EE.claim.fallback-replace",
  "the server gives the fallback key out that was uploaded last, and calls it unused",
  {
    mutant: [
      gives("goes on with the old one", "F1", ["F2"]),
      syncs("still calls it used", { set: { [UNUSED]: [] } }),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"], "F1");
    await claimAll(bob, alice);
    const used = await unused(alice, await alice.session.syncToken());

    await uploadFallback(alice, "F2");
    const replaced = await unused(alice, used.next);
    const given = [await claimName(bob, alice), await claimName(bob, alice)];

    expectEqual(used.types, [], "the unused fallback keys before the upload");
    expectEqual(replaced.types, [ALGORITHM], "the unused fallback keys after it");
    expectEqual(given, ["F2", "F2"], "the keys that are given out");
  },
);

check(
  "E2EE.claim.fallback-identical-reupload",
  "the server still calls a used fallback key used when it is uploaded again",
  { mutant: syncs("calls it unused", { set: { [UNUSED]: [ALGORITHM] } }) },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"], "F1");
    await claimAll(bob, alice);
    const used = await unused(alice, await alice.session.syncToken());

    await uploadFallback(alice, "F1");
    const again = await unused(alice, used.next);

    expectEqual(used.types, [], "the unused fallback keys after it was given out");
    expectEqual(again.types, [], "the unused fallback keys after the same one was uploaded");
  },
);

check(
  "E2EE.sync.otk-count-v2",
  "the server counts in /sync the one-time keys that are left, down to none",
  {
    mutant: [
      syncs("leaves the count out", { remove: ["/device_one_time_keys_count"] }),
      syncs("counts a key that is gone", { set: { [COUNT]: 1 } }),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 2));
    let since = await alice.session.syncToken();
    const counts = [];

    for (let left = 2; left >= 0; left--) {
      const body = await alice.session.sync({ since });
      counts.push(at(body, "device_one_time_keys_count", ALGORITHM) ?? 0);
      since = body.next_batch;
      await claim(bob, alice);
    }

    expectEqual(counts, [2, 1, 0], "the counts");
  },
);

check(
  "E2EE.sync.fallback-types-present",
  "the server tells in every /sync which types of fallback keys are unused",
  {
    mutant: [
      syncs("leaves it out of first answers", { remove: [UNUSED] }),
      syncs("leaves it out of later answers", { remove: [UNUSED] }, { contains: "since=" }),
      syncs("does not notice the use", { set: { [UNUSED]: [ALGORITHM] } }),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, []);
    const initial: unknown[] = [];
    const later: unknown[] = [];
    // Servers may answer an equal sync from a cache: the time-outs differ, and a first answer is judged by its form alone.
    const look = async (timeoutMs: number) => {
      const first = await alice.session.sync({ timeoutMs });
      initial.push(at(first, "device_unused_fallback_key_types"));
      const next = await alice.session.sync({ since: first.next_batch, timeoutMs });
      later.push(at(next, "device_unused_fallback_key_types"));
    };

    await look(0);
    await uploadFallback(alice, "F");
    await look(1);
    await claim(bob, alice);
    await look(2);

    expectThat(initial.every(Array.isArray), "a list in each first answer", initial);
    expectEqual(
      later,
      [[], [ALGORITHM], []],
      "the lists before an upload, after it, after its use",
    );
  },
);

check(
  "E2EE.sync.otk-count-sliding",
  "the server tells in sliding sync that the last one-time key is gone",
  {
    mutant: [
      altersAnswer(
        "sends no e2ee section",
        { path: UNSTABLE_PATH, contains: "pos=" },
        { remove: ["/extensions/e2ee"] },
      ),
      altersAnswer(
        "counts a key that is gone",
        { path: UNSTABLE_PATH },
        { set: { [`/extensions/e2ee${COUNT}`]: 2 } },
      ),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 2));
    const ask = (query: Query) =>
      alice.session.post(UNSTABLE_PATH, { extensions: { e2ee: { enabled: true } } }, query);
    const section = (response: HttpResponse) => objectAt(ok(response), "extensions", "e2ee");

    const first = await ask({ timeout: 0 });
    await claimAll(bob, alice);
    const next = await ask({ timeout: 0, pos: textAt(first.json, "pos") });

    const counts = [first, next].map((one) => at(section(one), "device_one_time_keys_count"));
    expectEqual(at(counts[0], ALGORITHM), 2, "the count before", first);
    expectEqual(at(counts[1], ALGORITHM) ?? 0, 0, "the count after both were claimed", next);
    if (at(counts[1], ALGORITHM) === undefined) world.note("the algorithm is not listed");
  },
);
