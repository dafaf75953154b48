/** Rooms that a story begins with. */
import type { RoomPlan } from "#scenarios/plan";

const MODERATOR = 50;

/**
 * The admin of each room is on another server, its moderator on the one after; rules in turn, as far as the version has them.
 *
 * @param at which one, from 0 on
 * @param users names, those of each server in turn
 */
export function roomAt(
  at: number,
  version: string,
  servers: number,
  users: readonly string[],
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
  const members = users.slice(0, servers).filter((user) => user !== creator);
  return {
    version,
    creator,
    rule,
    ...(rule === "restricted" ? { allow: "main" } : {}),
    members,
    levels: { [moderator]: MODERATOR },
  };
}
