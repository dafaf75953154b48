/** A situation in words: one line a deed, and what its end meets. */
import { isObject } from "#protocol/events/event";
import type { Deed } from "./history.ts";
import type { Situation } from "./situation.ts";

/** How the room begins, each deed one line, and last what the end is merged with. */
export function storyOf({ creation, deeds, second }: Situation): readonly string[] {
  const lines = deeds.map(
    (deed) => `${wordsOf(deed)}${deed.isAhead ? ", by a clock that is ahead" : ""}`,
  );
  const all = [...creation.map(wordsOf), ...lines];
  const told = [beginningOf(creation), ...lines];
  if (second.kind === "honest") {
    const { moment } = second;
    const last = lines[moment - 1] ?? "the creation";
    return [...told, `this meets a server that knows all up to: ${last}`];
  }
  const stale = [...second.keys].map(([key, index]) => {
    const [type, stateKey] = key.split("|");
    const name = stateKey === undefined || stateKey === "" ? type : `${type} of ${stateKey}`;
    return index === null ? `without ${name}` : `where ${name} is still that of: ${all[index]}`;
  });
  return [...told, `this meets a stale copy of itself, ${stale.join(", and ")}`];
}

function beginningOf(creation: readonly Deed[]): string {
  const part = (type: string) => creation.find((deed) => deed.type === type)?.content ?? {};
  const levels = levelsOf(part("m.room.power_levels"));
  const rule = part("m.room.join_rules").join_rule;
  return `${nameOf(creation[0]?.sender ?? "")} creates a room, join rule ${rule}, power levels of others: ${levels}`;
}

function levelsOf({ users }: Deed["content"]): string {
  const levels = Object.entries(isObject(users) ? users : {});
  if (levels.length === 0) return "none";
  return levels.map(([user, level]) => `${nameOf(user)} ${level}`).join(", ");
}

function wordsOf({ sender, type, stateKey, content }: Deed): string {
  const who = nameOf(sender);
  switch (type) {
    case "m.room.create":
      return `${who} creates the room`;
    case "m.room.member":
      return memberWords(who, nameOf(stateKey), content);
    case "m.room.power_levels":
      return `${who} sets the power levels to: ${levelsOf(content)}`;
    case "m.room.join_rules":
      return `${who} sets the join rule to ${content.join_rule}`;
    default:
      return `${who} sets ${type.replace("m.room.", "the ")}`;
  }
}

function memberWords(who: string, whom: string, content: Deed["content"]): string {
  const { membership, displayname } = content;
  switch (membership) {
    case "join":
      return displayname === undefined ? `${who} joins` : `${who} changes his name`;
    case "leave":
      return who === whom ? `${who} leaves` : `${who} removes ${whom}`;
    case "ban":
      return `${who} bans ${whom}`;
    default:
      return `${who} invites ${whom}`;
  }
}

function nameOf(user: string): string {
  return /^@([^:]*)/.exec(user)?.[1] ?? user;
}
