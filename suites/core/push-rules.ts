/** What checks about push rules share: the predefined rules of the specification, and reading of rule sets. */
import { isObject, type JsonObject, listAt, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";

export const RULES = "/_matrix/client/v3/pushrules/";

const SOUND = { set_tweak: "sound", value: "default" };
const RING = { set_tweak: "sound", value: "ring" };
const HIGHLIGHT = { set_tweak: "highlight" };

type Actions = readonly unknown[];

/**
 * Actions of the predefined rules by kind, most important first. Rules of one group may come in any order: no event
 * fits two of them that do different things.
 */
export const PREDEFINED: Readonly<Record<string, readonly Readonly<Record<string, Actions>>[]>> = {
  override: [
    { ".m.rule.master": [] },
    { ".m.rule.suppress_notices": [] },
    { ".m.rule.invite_for_me": ["notify", SOUND] },
    { ".m.rule.member_event": [] },
    { ".m.rule.is_user_mention": ["notify", SOUND, HIGHLIGHT] },
    { ".m.rule.is_room_mention": ["notify", HIGHLIGHT] },
    { ".m.rule.tombstone": ["notify", HIGHLIGHT] },
    { ".m.rule.reaction": [], ".m.rule.room.server_acl": [], ".m.rule.suppress_edits": [] },
  ],
  underride: [
    {
      ".m.rule.call": ["notify", RING],
      ".m.rule.encrypted_room_one_to_one": ["notify", SOUND],
      ".m.rule.room_one_to_one": ["notify", SOUND],
    },
    { ".m.rule.message": ["notify"], ".m.rule.encrypted": ["notify"] },
  ],
};

/**
 * What actions do. The historical ones do nothing, a highlight without a value is true, and without a highlight it is
 * false (spec: Actions), so there are several ways to write the same.
 */
export function effect(actions: unknown): JsonObject {
  const effects: Record<string, unknown> = { notify: false, highlight: false };
  for (const action of Array.isArray(actions) ? actions : []) {
    if (action === "notify") effects.notify = true;
    else if (isObject(action)) effects[textAt(action, "set_tweak")] = action.value ?? true;
  }
  return effects;
}

/** GET /pushrules/, which has to succeed. */
export async function pushRules(session: Session): Promise<JsonObject> {
  return ok(await session.get(RULES));
}

/** Rules of a kind, most important first. @param rules an object with the key `global`. */
export function rulesOf(rules: unknown, kind: string): readonly JsonObject[] {
  return listAt(rules, "global", kind).filter(isObject);
}

export function ruleOf(rules: unknown, kind: string, ruleId: string): JsonObject | undefined {
  return rulesOf(rules, kind).find(({ rule_id }) => rule_id === ruleId);
}

/** Ids of the rules of a kind, most important first. */
export function ruleIds(rules: unknown, kind: string): readonly string[] {
  return rulesOf(rules, kind).map((rule) => textAt(rule, "rule_id"));
}
