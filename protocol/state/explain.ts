/** A trace in words: one line a decision, in order. */
import type { ResolutionStep } from "./trace.ts";

/** @param nameOf how an event is shown; its id unless given */
export function explainStep(
  step: ResolutionStep,
  nameOf: (id: string) => string = (id) => id,
): readonly string[] {
  const names = (ids: readonly string[]) =>
    ids.length === 0 ? "none" : ids.map(nameOf).join(", ");
  switch (step.kind) {
    case "conflict": {
      const absent = step.isAbsentSomewhere ? ", and some state has none" : "";
      return [`conflict ${keyText(step.key)}: ${names(step.candidates)}${absent}`];
    }
    case "auth-difference":
      return [`auth difference: ${names(step.ids)}`];
    case "subgraph":
      return step.additions.length === 0
        ? ["conflicted subgraph: adds none"]
        : step.additions.map(
            ({ id, path }) => `conflicted subgraph adds ${nameOf(id)}: on the way ${names(path)}`,
          );
    case "power-events":
      return [`power events: ${names(step.ids)}`];
    case "pick": {
      const { id, level, originServerTs, runnerUp, by } = step;
      const own = `${nameOf(id)} (level ${levelText(level)}, time ${originServerTs})`;
      return [
        runnerUp === undefined ? `next ${own}` : `next ${own}, before ${nameOf(runnerUp)} by ${by}`,
      ];
    }
    case "check": {
      const { id, used, rejection, replaces } = step;
      const basis = used
        .filter(({ slot }) => slot !== "create")
        .map((part) => `${part.slot} ${nameOf(part.id)} (${part.from})`);
      const by = basis.length === 0 ? "" : ` by ${basis.join(", ")}`;
      if (rejection !== undefined) {
        return [`refused ${nameOf(id)}: ${rejection.rule}, ${rejection.why};${by}`];
      }
      const over = replaces === undefined ? "" : `, over ${nameOf(replaces)}`;
      return [`allowed ${nameOf(id)}${over};${by}`];
    }
    case "mainline":
      return [
        step.ids.length === 0
          ? "mainline: none, since no power levels are resolved; time alone orders what is left"
          : `mainline, newest first: ${names(step.ids)}`,
      ];
    case "mainline-order":
      return step.events.map(({ id, position, closest, originServerTs }) => {
        const at = closest === undefined ? "no mainline event" : `${nameOf(closest)} (${position})`;
        return `order ${nameOf(id)}: closest ${at}, time ${originServerTs}`;
      });
    case "depth-order":
      return [`by depth ${keyText(step.key)}: ${names(step.ids)}`];
    case "restored":
      return [
        `kept ${keyText(step.key)}: ${nameOf(step.id)} is unconflicted, whatever the replay of ${nameOf(step.over)} gave`,
      ];
  }
}

function keyText({ type, stateKey }: { type: string; stateKey: string }): string {
  return stateKey === "" ? type : `${type} of ${stateKey}`;
}

function levelText(level: number): string {
  return level === Number.POSITIVE_INFINITY ? "creator" : String(level);
}
