/** Rooms that a story begins with. */
import type { RoomPlan } from "#scenarios/plan";

const MODERATOR = 50;

/** Where devices encrypt, so many more are there from the beginning: each key then goes to devices of three users at least. */
const MORE_FOR_KEYS = 1;

/**
 * The admin of each room is on another server, its moderator on the one after; rules in turn, as far as the version has them.
 *
 * @param at which one, from 0 on
 * @param users names, those of each server in turn
 * @param isEncrypted whether keys have to come to who is there
 */
export function roomAt(
  at: number,
  version: string,
  servers: number,
  users: readonly string[],
  isEncrypted: boolean,
): RoomPlan {
  const creator = users[at % servers] ?? "";
  const moderator = users[(at + 1) % servers] ?? "";
  const rules: readonly NonNullable<RoomPlan["rule"]>[] = [
    "public",
    Number(version) >= 7 ? "knock" : "invite",
    Number(version) >= 8 ? "restricted" : "public",
    "invite",
  ];
  const rule = rules[at % rules.length] ?? "public";
  // One user of each server; the others may come during the story.
  const present = servers + (isEncrypted ? MORE_FOR_KEYS : 0);
  const members = users.slice(0, present).filter((user) => user !== creator);
  return {
    version,
    creator,
    rule,
    ...(rule === "restricted" ? { allow: "main" } : {}),
    members,
    ...(isEncrypted ? { encrypted: true } : {}),
    levels: { [moderator]: MODERATOR },
  };
}
