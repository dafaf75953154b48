import { describe, expect, test } from "vitest";
import { readConfigFile } from "#harness/config/file";
import { resolveSettings } from "#harness/config/resolve";
import { select } from "./select.ts";

function selected(flags: Readonly<Record<string, unknown>>, ids: readonly string[] = []) {
  const { settings } = resolveSettings({ flags, env: {}, file: readConfigFile(undefined) });
  return select(settings, ids);
}

const IDS = ["CS.login.*", "CS.fed.*", "MSC4186.conn.*"];
const whole = await selected({}, IDS);
const names = (checks: typeof whole.plan.checks) => checks.map(({ id, title }) => `${id} ${title}`);

describe.each([2, 3, 7])("%i shards", (count) => {
  const parts = Promise.all(
    Array.from({ length: count }, (_, at) => selected({ shard: `${at + 1}/${count}` }, IDS)),
  );

  test("together are the whole run, each check once", async () => {
    const all = (await parts).flatMap(({ plan }) => names(plan.checks));
    expect(all.toSorted()).toEqual(names(whole.plan.checks).toSorted());
  });

  test("are of the same deployment, and watch the same rules", async () => {
    for (const { plan, servers } of await parts) {
      expect(plan.topology).toEqual(whole.plan.topology);
      expect(plan.requirements).toEqual(whole.plan.requirements);
      expect(servers).toEqual(whole.servers);
      expect(plan.files.length).toBeGreaterThan(0);
    }
  });

  test("are alike: no part has more than one requirement more than another", async () => {
    const sizes = (await parts).map(({ plan }) => new Set(plan.checks.map(({ id }) => id)).size);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });
});

test("the same shard is the same whatever order the ids are given in", async () => {
  const [one, other] = await Promise.all(
    [IDS, IDS.toReversed()].map((ids) => selected({ shard: "2/3" }, ids)),
  );
  expect(one?.plan.checks).toEqual(other?.plan.checks);
});

test("more shards than requirements are as many as there are requirements", async () => {
  const ids = ["CS.login.flows"];
  const [first, second] = await Promise.all(
    [1, 2].map((index) => selected({ shard: `${index}/2` }, ids)),
  );
  expect(first?.plan.shard).toEqual({ index: 1, count: 1 });
  expect(second?.plan.checks).toEqual([]);
});
