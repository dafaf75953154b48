/** A fault of a plan as rules of the gateway. */
import type { Rule, RuleAction } from "#harness/gateway/rule";
import type { FaultStep } from "#scenarios/plan";

const HTML = "<html><body><h1>Bad gateway</h1></body></html>";
/** Of faults that do not say. */
export const DEFAULT_DELAY_MS = 500;
export const DEFAULT_BYTES_PER_SECOND = 4000;
const REORDER_MS = 1_000;

/** One rule a link; undefined: the gateway can not do it. */
export function rulesOf(fault: FaultStep): readonly Rule[] | undefined {
  const acts = actionOf(fault);
  if (acts === undefined) return undefined;
  return fault.links.map((link) => {
    const [from = "", to = ""] = link.split(">");
    return {
      name: `${fault.id} ${link}`,
      match: { from, to, ...(fault.path === undefined ? {} : { path: fault.path }) },
      ...acts,
      ...(fault.times === undefined ? {} : { times: fault.times }),
    };
  });
}

function actionOf(fault: FaultStep): { phase: Rule["phase"]; action: RuleAction } | undefined {
  switch (fault.fault) {
    case "refuse":
    case "reset":
    case "blackhole":
      return { phase: "link", action: { kind: fault.fault } };
    case "wrong-certificate":
      return { phase: "link", action: { kind: "certificate", of: "other-authority" } };
    case "drop-request":
      return { phase: "before", action: { kind: "reset" } };
    case "drop-answer":
      return { phase: "processed", action: { kind: "reset" } };
    case "delay":
      return {
        phase: "before",
        action: { kind: "delay", ms: fault.ms ?? DEFAULT_DELAY_MS, jitterMs: fault.jitter ?? 0 },
      };
    case "slow-body": {
      const { bytesPerSecond = DEFAULT_BYTES_PER_SECOND } = fault;
      return { phase: "before", action: { kind: "slow", bytesPerSecond } };
    }
    case "reorder":
      return { phase: "before", action: { kind: "reorder", withinMs: REORDER_MS } };
    case "duplicate":
      return { phase: "before", action: { kind: "duplicate" } };
    case "kill-caller":
      return { phase: "processed", action: { kind: "kill", whom: "sender" } };
    case "truncate":
      return { phase: "processed", action: { kind: "rewrite", keep: 0.5 } };
    case "status": {
      const { status = 502, isHtml = false } = fault;
      const body = isHtml
        ? { text: HTML, headers: { "content-type": "text/html" } }
        : { body: { errcode: "M_UNKNOWN", error: "Bad gateway" } };
      return { phase: "before", action: { kind: "answer", status, ...body } };
    }
    default:
      return undefined;
  }
}
