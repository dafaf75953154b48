/** Steps of a plan in words. */
import type { Step } from "#scenarios/plan";

/** One line, as `bob bans mallory in r1`. */
export function words(step: Step): string {
  if ("together" in step) return `at the same time: ${step.together.map(words).join("; ")}`;
  if ("fault" in step) return step.title ?? `${step.fault} on ${step.links.join(", ")}`;
  if ("heal" in step)
    return step.heal === "all" ? "all faults end" : `${step.heal.join(", ")} ends`;
  if ("server" in step) return `${step.action} ${step.server}`;
  if ("await" in step) return `wait for ${step.of?.join(", ") ?? "all"} to be delivered`;
  if ("converge" in step) return `all servers have to agree (${step.converge})`;
  const { op, by } = step;
  const what = "target" in step && step.target !== undefined ? ` ${step.target}` : "";
  const where = "room" in step ? ` in ${step.room}` : "";
  const ahead = step.ahead === undefined ? "" : `, ${step.ahead / 1000} s ahead of the true time`;
  return `${by}: ${op}${what}${where}${ahead}`;
}
