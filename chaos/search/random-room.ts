/** Random rooms of four users on three servers: how they begin, and what is done in them. */
import type { Choice } from "#protocol/dag/choice";
import type { JsonObject } from "#protocol/events/event";
import { isObject } from "#protocol/events/event";
import { type Deed, History } from "./history.ts";

const FOUNDER = "@alice:h1";
const USERS = [FOUNDER, "@bob:h2", "@charlie:h3", "@dave:h2"] as const;
const OTHERS = USERS.slice(1);

/** Deeds after the creation: at least, and so many more at most. */
const MIN_DEEDS = 5;
const MORE_DEEDS = 6;
/** After so many refused deeds a history stays shorter. */
const MAX_REFUSED = 60;
const SKEWED_HISTORIES = 0.25;
const SKEWED_DEEDS = 0.25;

export function randomHistory(choice: Choice): History {
  const history = new History(creation(choice));
  const length = MIN_DEEDS + choice.integer(MORE_DEEDS + 1);
  const areClocksWrong = choice.chance(SKEWED_HISTORIES);
  for (let refused = 0; history.deeds.length < length && refused < MAX_REFUSED; ) {
    const deed = randomDeed(history, choice);
    const isAhead = areClocksWrong && choice.chance(SKEWED_DEEDS);
    if (!history.send(isAhead ? { ...deed, isAhead } : deed)) refused++;
  }
  return history;
}

/** What every room begins with: create event, its sender's join, power levels, join rules. */
export function creationOf(users: JsonObject, joinRule: string): readonly Deed[] {
  return [
    { sender: FOUNDER, type: "m.room.create", stateKey: "", content: {} },
    memberDeed(FOUNDER, FOUNDER, "join"),
    { sender: FOUNDER, type: "m.room.power_levels", stateKey: "", content: { users } },
    joinRuleDeed(FOUNDER, joinRule),
  ];
}

function creation(choice: Choice): readonly Deed[] {
  const levels = OTHERS.flatMap((user) =>
    choice.chance(0.3) ? [[user, choice.pick([50, 50, 100])] as const] : [],
  );
  const joinRule = choice.chance(0.6) ? "public" : choice.pick(["invite", "knock"]);
  return creationOf(Object.fromEntries(levels), joinRule);
}

type Operation = (history: History, choice: Choice, sender: string) => Deed;

const OPERATIONS: readonly (readonly [weight: number, operation: Operation])[] = [
  [2, (_, choice, sender) => rename(sender, choice)],
  [1, (_, __, sender) => memberDeed(sender, sender, "leave")],
  [3, (_, choice, sender) => memberDeed(sender, other(choice, sender), "leave")],
  [2, (_, choice, sender) => memberDeed(sender, other(choice, sender), "ban")],
  [4, (_, choice, sender) => memberDeed(sender, other(choice, sender), "invite")],
  [5, powerLevels],
  [3, (_, choice, sender) => joinRuleDeed(sender, choice.pick(["public", "invite", "knock"]))],
  [3, (_, choice, sender) => topicDeed(sender, `t${choice.integer(99)}`)],
];
/** Joins are the work of those outside, all else of those inside. */
const JOINS = 0.3;

function randomDeed(history: History, choice: Choice): Deed {
  const isJoined = (user: string) =>
    history.eventAt(`m.room.member|${user}`)?.content.membership === "join";
  const outside = USERS.filter((user) => !isJoined(user));
  if (outside.length > 0 && choice.chance(JOINS)) {
    const user = choice.pick(outside);
    return memberDeed(user, user, "join");
  }
  const inside = USERS.filter(isJoined);
  const sender = inside.length === 0 ? FOUNDER : choice.pick(inside);
  return choice.weighted(OPERATIONS)(history, choice, sender);
}

export function memberDeed(sender: string, stateKey: string, membership: string): Deed {
  return { sender, type: "m.room.member", stateKey, content: { membership } };
}

export function joinRuleDeed(sender: string, rule: string): Deed {
  return { sender, type: "m.room.join_rules", stateKey: "", content: { join_rule: rule } };
}

export function topicDeed(sender: string, topic: string): Deed {
  return { sender, type: "m.room.topic", stateKey: "", content: { topic } };
}

/** The power levels as they are now, with one user's level changed. */
export function powerDeed(history: History, sender: string, user: string, level: number): Deed {
  const { users = {}, ...named } = history.eventAt("m.room.power_levels|")?.content ?? {};
  const content = { ...named, users: { ...(isObject(users) ? users : {}), [user]: level } };
  return { sender, type: "m.room.power_levels", stateKey: "", content };
}

function powerLevels(history: History, choice: Choice, sender: string): Deed {
  return powerDeed(history, sender, choice.pick(OTHERS), choice.pick([0, 50, 50, 100]));
}

function rename(sender: string, choice: Choice): Deed {
  const content = { membership: "join", displayname: `d${choice.integer(99)}` };
  return { ...memberDeed(sender, sender, "join"), content };
}

function other(choice: Choice, sender: string): string {
  return choice.pick(USERS.filter((user) => user !== sender));
}
