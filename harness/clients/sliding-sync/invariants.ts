/**
 * What holds for every answer, whatever a check is about. Only what is certain from the answers of one connection and the
 * requests that it made: a harness that guesses blames the wrong one.
 */
import { isDeepStrictEqual } from "node:util";
import { isObject } from "#harness/match/json";
import type { RequirementId } from "#harness/requirements/ids.generated";
import { combine, type RoomConfig, type SlidingRequest } from "./request.ts";
import { isStub, type RoomResult, type SlidingResponse, type SyncEvent } from "./response.ts";
import { membershipIn, type RoomView, stateKeyOf, type View } from "./view.ts";

/** An answer that breaks a rule. */
export interface Violation {
  readonly requirement: RequirementId;
  readonly expected: string;
  readonly actual: string;
}

export interface Step {
  readonly userId: string;
  readonly request: SlidingRequest;
  /** The request that the view's last answer was to. */
  readonly previous: SlidingRequest | undefined;
  readonly isInitial: boolean;
  readonly before: View;
  readonly response: SlidingResponse;
  readonly after: View;
}

/** Whose arrival moves a room up in clients (MSC4186 §Common fields, bump_stamp). */
const BUMP_TYPES: readonly string[] = [
  "m.room.create",
  "m.room.message",
  "m.room.encrypted",
  "m.sticker",
  "m.call.invite",
  "m.poll.start",
  "m.beacon_info",
];
const MAX_HEROES = 5;

/** All that an answer breaks. */
export function violationsIn(step: Step): readonly Violation[] {
  const { request, response } = step;
  const violations = [...listViolations(step)];
  for (const [roomId, result] of Object.entries(response.rooms)) {
    const rules = rulesFor(request, roomId);
    const tell = (requirement: RequirementId, expected: string, actual: unknown) => {
      const text = typeof actual === "string" ? actual : JSON.stringify(actual);
      violations.push({ requirement, expected: `${expected}, in ${roomId}`, actual: text });
    };
    if (rules.length === 0) {
      tell("MSC4186.list.sticky-not", "no room that no rule of the request matches", result);
      continue;
    }
    checkRoom({ ...step, roomId, result, rules }, tell);
  }
  return [...violations, ...extensionViolations(step)];
}

interface RoomStep extends Step {
  readonly roomId: string;
  readonly result: RoomResult;
  /** Those that may match: its subscription, and all lists. */
  readonly rules: readonly RoomConfig[];
}

type Tell = (requirement: RequirementId, expected: string, actual: unknown) => void;

function rulesFor({ lists = {}, subscriptions = {} }: SlidingRequest, roomId: string) {
  const subscription = subscriptions[roomId];
  return [...Object.values(lists), ...(subscription === undefined ? [] : [subscription])];
}

function* listViolations({ request, response, isInitial }: Step): Iterable<Violation> {
  const asked = Object.keys(request.lists ?? {});
  for (const key of Object.keys(response.counts)) {
    if (asked.includes(key)) continue;
    const expected = "no list that was not asked for";
    yield { requirement: "MSC4186.list.sticky-not", expected, actual: key };
  }
  if (!isInitial) return;
  for (const key of asked) {
    if (response.counts[key] !== undefined) continue;
    const expected = `a count of the list ${key} in the first answer`;
    yield { requirement: "MSC4186.list.count", expected, actual: "none" };
  }
}

function checkRoom(step: RoomStep, tell: Tell): void {
  const { before, roomId, result, after, userId } = step;
  const known = before.room(roomId);
  const room = after.room(roomId);
  if (room === undefined) return;
  if (result.stripped_state !== undefined && isOutside(membershipIn(room, userId))) {
    checkOutside(result, tell);
    return;
  }
  if (known === undefined && result.initial !== true && isJoined(room, userId)) {
    tell("MSC4186.meta.initial-flag", "initial true when a room is first sent", { initial: false });
  }
  checkTimeline(step, known, tell);
  checkMetadata(step, known, room, tell);
  checkState(step, known, room, tell);
}

function isOutside(membership: string | undefined): boolean {
  return membership === "invite" || membership === "knock";
}

function isJoined(room: RoomView, userId: string): boolean {
  return membershipIn(room, userId) === "join";
}

/** MSC4186 §Invite/knock/rejections: stripped state, and nothing of the room. */
function checkOutside(result: RoomResult, tell: Tell): void {
  const lists = ["timeline", "required_state", "heroes"] as const;
  const others = ["joined_count", "invited_count", "prev_batch"] as const;
  const leaked = [
    ...lists.filter((key) => (result[key]?.length ?? 0) > 0),
    ...others.filter((key) => result[key] !== undefined),
  ];
  if (leaked.length > 0) {
    tell("MSC4186.member.invite-no-leak", "only stripped state of a room one is outside", leaked);
  }
}

function checkTimeline({ result, rules }: RoomStep, known: RoomView | undefined, tell: Tell): void {
  const { timeline = [], num_live: live = 0, initial, expanded_timeline: isExpanded } = result;
  const { timelineLimit } = combine(rules);
  if (timeline.length > timelineLimit) {
    tell("MSC4186.timeline.limit", `at most ${timelineLimit} events`, timeline.length);
  }
  if (live > timeline.length) {
    tell("MSC4186.timeline.num-live", `num_live of at most ${timeline.length}`, live);
  }
  const ids = timeline.map(({ event_id }) => event_id);
  if (new Set(ids).size < ids.length) {
    tell("MSC4186.timeline.expand-flag", "each event once in a timeline", ids);
  }
  if (known === undefined || initial === true || isExpanded === true) return;
  const repeated = ids.filter((id) => known.delivered.has(id));
  if (repeated.length > 0) {
    const expected = "no event again without initial or the flag of an expanded timeline";
    tell("MSC4186.timeline.expand-flag", expected, repeated);
  }
}

function checkMetadata(
  { result, userId }: RoomStep,
  known: RoomView | undefined,
  room: RoomView,
  tell: Tell,
): void {
  const { heroes, timeline = [], num_live: live = 0, bump_stamp: bump } = result;
  if (heroes !== undefined && heroes.length > 0) {
    if (typeof room.name === "string" && room.name !== "") {
      tell("MSC4186.meta.heroes-not-when-named", `no heroes of a room named ${room.name}`, heroes);
    }
    if (heroes.length > MAX_HEROES) {
      tell("MSC4186.meta.heroes", `at most ${MAX_HEROES} heroes`, heroes.length);
    }
    if (heroes.some((hero) => hero.user_id === userId)) {
      tell("MSC4186.meta.heroes", "heroes without the own user", heroes);
    }
  }
  const isBumped = live > 0 && timeline.slice(-live).some(({ type }) => BUMP_TYPES.includes(type));
  if (isBumped && known?.bumpStamp !== undefined && bump !== undefined && bump < known.bumpStamp) {
    const expected = `a bump_stamp of at least ${known.bumpStamp} after a new message`;
    tell("MSC4186.meta.bump-stamp-order", expected, bump);
  }
}

function checkState(
  { result, rules, request, previous }: RoomStep,
  known: RoomView | undefined,
  room: RoomView,
  tell: Tell,
): void {
  const { required_state: entries = [], timeline = [], initial, limited } = result;
  const { requiredState } = combine(rules);
  const isLazy = rules.every((rule) => rule.requiredState?.lazyMembers === true);
  if (isLazy) {
    const missing = timeline
      .flatMap((event) => [event.sender, ...targetOf(event)])
      .filter((user) => !room.state.has(`m.room.member|${user}`));
    if (missing.length > 0) {
      const expected = "the member events of senders and targets in the timeline";
      tell("MSC4186.lazy.senders", expected, `none of ${[...new Set(missing)].join(", ")}`);
    }
  }
  // Only where nothing but the room has changed: a config that grew may bring what was there before.
  if (known === undefined || initial === true || !isDeepStrictEqual(request, previous)) return;
  const again = entries.filter((entry): entry is SyncEvent & { state_key: string } => {
    if (isStub(entry)) return false;
    const isMember = entry.type === "m.room.member";
    // Lazily loaded ones may come again, and have to after a gap.
    if (isMember && (requiredState?.lazyMembers === true || limited === true)) return false;
    return known.state.get(stateKeyOf(entry))?.event_id === (entry as SyncEvent).event_id;
  });
  if (again.length > 0) {
    const expected = "only state that has changed since the room was last sent";
    tell("MSC4186.state.delta-only", expected, again.map(stateKeyOf));
  }
}

function targetOf({ type, state_key: target }: SyncEvent): readonly string[] {
  return type === "m.room.member" && target !== undefined ? [target] : [];
}

/** Where there are no lists, what is in scope is certain: the subscriptions (MSC4508 §Common per-room extension semantics). */
function* extensionViolations({ request, response }: Step): Iterable<Violation> {
  if (Object.keys(request.lists ?? {}).length > 0) return;
  const subscribed = Object.keys(request.subscriptions ?? {});
  for (const [key, section] of Object.entries(response.extensions)) {
    const rooms =
      isObject(section) && key !== "io.element.msc4308.thread_subscriptions"
        ? section.rooms
        : undefined;
    if (!isObject(rooms)) continue;
    const foreign = Object.keys(rooms).filter((id) => !subscribed.includes(id));
    if (foreign.length === 0) continue;
    yield {
      requirement: "MSC4508.ext.scope-lists-rooms",
      expected: `no data of ${key} about rooms that no rule matches`,
      actual: foreign.join(", "),
    };
  }
}
