/**
 * All that three users can do next in a room, up to symmetry: what the bounded-exhaustive search is exhaustive over.
 * docs/search.md describes it.
 */
import { type Deed, History } from "./history.ts";
import { creationOf, joinRuleDeed, memberDeed, powerDeed, topicDeed } from "./random-room.ts";

const FOUNDER = "@alice:h1";
/** Interchangeable: they begin alike, and no rule tells them apart. */
const [BOB, CHARLIE] = ["@bob:h2", "@charlie:h3"] as const;
const USERS = [FOUNDER, BOB, CHARLIE] as const;
const MODERATOR = 50;

/** A public room of the founder, without moderators. */
export function emptyRoom(): History {
  return new History(creationOf({}, "public"));
}

/**
 * The deeds that are allowed, in an order that is always the same. Of two histories that differ in the names of the
 * interchangeable users, only the one is made in which Bob is named first.
 */
export function nextDeeds(history: History): readonly Deed[] {
  const isBobNamed = history.deeds.some((deed) => names(deed, BOB));
  return candidates(history).filter((deed) => {
    if (!isBobNamed && names(deed, CHARLIE)) return false;
    const isAllowed = history.send(deed);
    if (isAllowed) history.undo();
    return isAllowed;
  });
}

/** Allowed or not, without those that would change nothing. */
function candidates(history: History): readonly Deed[] {
  const membershipOf = (user: string) =>
    history.eventAt(`m.room.member|${user}`)?.content.membership;
  const isJoined = (user: string) => membershipOf(user) === "join";
  const rule = history.eventAt("m.room.join_rules|")?.content.join_rule;
  const levels = (history.eventAt("m.room.power_levels|")?.content.users ?? {}) as Levels;
  const deeds: Deed[] = [];
  for (const user of USERS) {
    if (!isJoined(user)) {
      deeds.push(memberDeed(user, user, "join"));
      continue;
    }
    deeds.push(memberDeed(user, user, "leave"));
    for (const target of USERS) {
      if (target === user) continue;
      if (isJoined(target)) deeds.push(memberDeed(user, target, "leave"));
      if (membershipOf(target) !== "ban") deeds.push(memberDeed(user, target, "ban"));
    }
    for (const target of [BOB, CHARLIE]) {
      const level = levels[target] === MODERATOR ? 0 : MODERATOR;
      deeds.push(powerDeed(history, user, target, level));
    }
    deeds.push(joinRuleDeed(user, rule === "public" ? "invite" : "public"));
    deeds.push(topicDeed(user, "topic"));
  }
  return deeds;
}

type Levels = Readonly<Record<string, number>>;

/** Power levels name whose level they change. */
function names(deed: Deed, user: string): boolean {
  if (deed.sender === user || deed.stateKey === user) return true;
  if (deed.type !== "m.room.power_levels") return false;
  return Object.hasOwn((deed.content.users ?? {}) as Levels, user);
}
