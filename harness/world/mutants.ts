/** Ways for a server to be wrong, as mutants of checks: each is one rule at the gateway. */
import type { JsonValue, Rewrite, RuleMatch } from "#harness/gateway/rule";
import type { Mutant } from "./check.ts";

/** A server that claims success and does nothing. */
export function claims(
  name: string,
  match: RuleMatch,
  body: JsonValue = { event_id: "$claimed" },
): Mutant {
  return {
    name,
    rules: [{ match, phase: "before", action: { kind: "answer", status: 200, body } }],
  };
}

/** A server that acts on something else than what was asked. */
export function altersRequest(name: string, match: RuleMatch, rewrite: Rewrite): Mutant {
  return { name, rules: [{ match, phase: "before", action: { kind: "rewrite", ...rewrite } }] };
}

/** A server that answers something else than it should. */
export function altersAnswer(name: string, match: RuleMatch, rewrite: Rewrite): Mutant {
  return { name, rules: [{ match, phase: "processed", action: { kind: "rewrite", ...rewrite } }] };
}

/** A server that does not do what it is asked for. */
export function refuses(name: string, match: RuleMatch, status: number, errcode: string): Mutant {
  const body = { errcode, error: "" };
  return { name, rules: [{ match, phase: "before", action: { kind: "answer", status, body } }] };
}
