/** Ways for a server to be wrong about delayed events, whichever form it serves. */
import type { JsonValue, Rewrite, Rule, RuleMatch } from "#harness/gateway/rule";
import type { Mutant } from "#harness/world/check";
import { altersAnswer } from "#harness/world/mutants";

export const SYNC: RuleMatch = { method: "GET", path: "/_matrix/client/v3/sync" };
export const MESSAGES: RuleMatch = {
  method: "GET",
  path: "/_matrix/client/v3/rooms/*/messages",
};
export const LOOK_UP: RuleMatch = { method: "GET", path: "/_matrix/client/**/delayed_events/*" };

/** Requests that schedule: by the endpoint of the merged text, and by the older form. */
const SCHEDULING: readonly RuleMatch[] = [
  { method: "PUT", path: "/_matrix/client/**/rooms/*/delayed_event/*/*" },
  { method: "PUT", path: "/_matrix/client/v3/rooms/**", contains: "org.matrix.msc4140.delay=" },
];

/** Requests that act on a delayed event. */
export function acting(action: string): RuleMatch {
  return { method: "POST", path: `/_matrix/client/**/delayed_events/*/${action}` };
}

function onScheduling(
  name: string,
  rule: Pick<Rule, "phase" | "action" | "times">,
  narrowed: Pick<RuleMatch, "status"> = {},
): Mutant {
  return {
    name,
    rules: SCHEDULING.map((match) => ({ match: { ...match, ...narrowed }, ...rule })),
  };
}

export function altersScheduling(name: string, rewrite: Rewrite, times?: number): Mutant {
  const action = { kind: "rewrite", ...rewrite } as const;
  return onScheduling(name, { phase: "before", action, ...(times === undefined ? {} : { times }) });
}

export function altersScheduled(
  name: string,
  rewrite: Rewrite,
  status?: number | readonly number[],
): Mutant {
  const action = { kind: "rewrite", ...rewrite } as const;
  return onScheduling(name, { phase: "processed", action }, status === undefined ? {} : { status });
}

/** Answers in the server's place, which schedules nothing. */
export function claimsScheduling(
  name: string,
  status = 200,
  body: JsonValue = { delay_id: "claimed" },
): Mutant {
  return onScheduling(name, { phase: "before", action: { kind: "answer", status, body } });
}

/** Takes one delay for another. @param fromMs such that no other delay of the check begins with it */
export function takesDelayFor(name: string, fromMs: number, toMs: number): Mutant {
  return altersScheduling(name, {
    head: [[`msc4140.delay=${fromMs}`, `msc4140.delay=${toMs}`]],
    replace: [[`"delay_ms":${fromMs}`, `"delay_ms":${toMs}`]],
  });
}

/** Claims to have acted, and does nothing. */
export function claimsTo(action: string): Mutant {
  return {
    name: `only claims to ${action}`,
    rules: [
      { match: acting(action), phase: "before", action: { kind: "answer", status: 200, body: {} } },
    ],
  };
}

/** A delayed event that nobody has asked for, or none that was, in the room's history. */
export const SENDS_MORE = altersAnswer("sends another one", MESSAGES, {
  set: {
    "/chunk/-": {
      type: "org.example.delayed",
      event_id: "$another",
      sender: "@alice:other.example",
      origin_server_ts: 1,
      content: { mark: "another" },
    },
  },
});
