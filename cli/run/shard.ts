/** Parts of a run that can run side by side, on machines that know nothing of each other. */
import type { Shard } from "#harness/results/run-directory";
import type { CheckPlan } from "./plan.ts";

/**
 * The part's checks: those of each n-th requirement that has some, so that parts are alike and slow suites are spread.
 * Requirements stay those of the whole: what any answer can break is watched in every part. More parts than requirements are as many
 * as there are requirements: the others have no checks.
 */
export function shardOf(plan: CheckPlan, { index, count }: Shard): CheckPlan {
  const ids = [...new Set(plan.checks.map(({ id }) => id))].sort();
  if (ids.length === 0) return plan;
  const parts = Math.min(count, ids.length);
  const own = new Set(ids.filter((_, at) => at % parts === index - 1));
  const checks = plan.checks.filter(({ id }) => own.has(id));
  const files = [...new Set(checks.map(({ file }) => file))];
  return { ...plan, checks, files, shard: { index, count: parts } };
}
