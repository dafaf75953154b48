/** Draws one operation that the beliefs of a story allow; now and then one that they do not. */
import type { Choice } from "#protocol/dag/choice";
import {
  AUTH_OPERATIONS,
  DEVICE_OPERATIONS,
  isOfDevice,
  type Operation,
  type OperationKind,
  type RoomPlan,
} from "#scenarios/plan";
import type { Beliefs, RoomBelief } from "./cast.ts";
import { ENCRYPTED_MESSAGE_WEIGHT, OPERATION_WEIGHTS, type TWISTS } from "./vocabulary.ts";

const MODERATOR = 50;
const ADMIN = 100;
const HOUR_MS = 3_600_000;
/** Of operations by someone whom the rules will probably refuse. */
const BOLD = 0.04;
const ATTEMPTS = 12;

type Parts = Operation extends infer One
  ? One extends Operation
    ? Omit<One, "id">
    : never
  : never;

export interface Drawing {
  readonly beliefs: Beliefs;
  readonly choice: Choice;
  readonly kinds: readonly OperationKind[];
  /** Devices of each user that encrypt; undefined: nothing is encrypted. */
  readonly devices: number | undefined;
  /** Servers have auth services. */
  readonly hasAuth: boolean;
  /** The next operation's name. */
  readonly id: () => string;
  /** A room to upgrade into, made known to the plan; undefined: there are enough. */
  readonly laterRoom: (
    creator: string,
    room: RoomBelief,
  ) => { name: string; version: string } | undefined;
  /** What can be done to the operation beside what it says. */
  readonly twists: readonly (typeof TWISTS)[number][];
}

/** @param among who may act; absent: anyone */
export function drawOperation(drawing: Drawing, among?: ReadonlySet<string>): Operation {
  const { beliefs, choice, kinds, id, twists, devices, hasAuth } = drawing;
  const unable: readonly OperationKind[] = [
    ...(devices === undefined ? DEVICE_OPERATIONS : []),
    ...(hasAuth ? [] : AUTH_OPERATIONS),
  ];
  const able = kinds.filter((kind) => !unable.includes(kind));
  const weightOf = (kind: OperationKind) =>
    kind === "message" && devices !== undefined
      ? ENCRYPTED_MESSAGE_WEIGHT
      : OPERATION_WEIGHTS[kind];
  const weights = able.map((kind) => [weightOf(kind), kind] as const);
  let parts: Parts | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && parts === undefined; attempt++) {
    parts = partsOf(choice.weighted(weights), drawing, among);
  }
  parts ??= anything(choice.pick(able), drawing, among);
  const operation = { ...parts, id: id() } as Operation;
  // Named for the operation, so that each value tells where it came from.
  if (operation.op === "message") operation.text = operation.id;
  if ((operation.op === "message" || isOfDevice(operation)) && devices !== undefined)
    operation.device = deviceFor(operation, drawing, devices);
  if (operation.op === "state") operation.content = contentOf(operation.type, operation.id);
  if (operation.op === "displayname") operation.value = `${operation.by} ${operation.id}`;
  if (twists.length > 0 && "room" in operation && choice.chance(0.2)) {
    const twist = choice.pick(twists);
    if (twist !== "clock-ahead") operation.client = twist;
    else if (operation.op === "state") operation.ahead = HOUR_MS;
  }
  beliefs.note(operation);
  return operation;
}

/** One of so many. What a device has put into a backup another one restores, where there is one. */
function deviceFor({ op, by }: Operation, { beliefs, choice }: Drawing, devices: number): number {
  const all = Array.from({ length: devices }, (_, at) => at + 1);
  const others = all.filter((number) => number !== beliefs.backups.get(by));
  return choice.pick(op === "restore-backup" && others.length > 0 ? others : all);
}

function partsOf(
  op: OperationKind,
  drawing: Drawing,
  among: ReadonlySet<string> | undefined,
): Parts | undefined {
  const { beliefs, choice } = drawing;
  const room = choice.pick(beliefs.rooms);
  const one = (users: readonly string[]) => {
    const able = users.filter((user) => among === undefined || among.has(user));
    return able.length === 0 ? undefined : choice.pick(able);
  };
  const isBold = choice.chance(BOLD);
  const joined = (level = 0) => one(beliefs.withLevel(room, isBold ? 0 : level));
  const by = actorOf(op, beliefs, room, joined, one);
  if (by === undefined) return undefined;
  const below = (users: readonly string[]) =>
    isBold ? users : users.filter((user) => levelOf(room, user) < levelOf(room, by));
  const target = (users: readonly string[]) => {
    const others = users.filter((user) => user !== by);
    return others.length === 0 ? undefined : choice.pick(others);
  };
  switch (op) {
    case "invite":
    case "kick":
    case "ban":
    case "unban": {
      const who = {
        invite: () => beliefs.in(room, "leave", "knock"),
        kick: () => below(beliefs.in(room, "join", "invite", "knock")),
        ban: () => below(beliefs.in(room, "join", "leave", "invite", "knock")),
        unban: () => beliefs.in(room, "ban"),
      }[op]();
      const found = target(who);
      return found === undefined ? undefined : { op, by, room: room.name, target: found };
    }
    case "leave":
      // A story needs somebody to go on with.
      return beliefs.in(room, "join").length < 3 || levelOf(room, by) >= ADMIN
        ? undefined
        : { op, by, room: room.name };
    case "redact": {
      const own = room.events.filter((event) => event.by === by || levelOf(room, by) >= MODERATOR);
      return own.length === 0
        ? undefined
        : { op, by, room: room.name, target: choice.pick(own).id };
    }
    case "receipt": {
      const [read] = room.events.filter((event) => event.op === "message").slice(-1);
      return { op, by, room: room.name, ...(read === undefined ? {} : { target: read.id }) };
    }
    case "upgrade": {
      const into = room.isTombstoned ? undefined : drawing.laterRoom(by, room);
      return into && { op, by, room: room.name, version: into.version, into: into.name };
    }
    case "canonical-alias": {
      const { aliases } = room;
      return aliases.length === 0
        ? undefined
        : { op, by, room: room.name, alias: choice.pick(aliases) };
    }
    default:
      return anything(op, drawing, new Set([by]), room);
  }
}

/** Who does it, of those that can. */
function actorOf(
  op: OperationKind,
  beliefs: Beliefs,
  room: RoomBelief,
  joined: (level?: number) => string | undefined,
  one: (users: readonly string[]) => string | undefined,
): string | undefined {
  switch (op) {
    case "join": {
      const free = room.rule === "public" || room.rule.endsWith("restricted");
      return one(beliefs.in(room, "invite", ...(free ? (["leave", "knock"] as const) : [])));
    }
    case "reject":
      return one(beliefs.in(room, "invite"));
    case "forget":
      return one(beliefs.in(room, "leave").filter((user) => room.memberships.has(user)));
    case "knock":
      return room.rule.startsWith("knock") ? one(beliefs.in(room, "leave")) : undefined;
    case "kick":
    case "ban":
    case "unban":
    case "state":
    case "visibility":
    case "guests":
    case "join-rules":
    case "canonical-alias":
    case "levels":
      return joined(MODERATOR);
    case "acl":
    case "upgrade":
      return joined(ADMIN);
    case "displayname":
    case "to-device":
    case "new-device":
    case "upload-keys":
    case "kill-device":
    case "reset-identity":
    case "new-backup":
    case "sign-in":
    case "refresh":
    case "sign-out":
      return one(beliefs.users);
    case "restore-backup":
      return one(beliefs.users.filter((user) => beliefs.backups.has(user)));
    default:
      return joined();
  }
}

/** An operation of the kind by anyone, whether it makes sense or not. */
function anything(
  op: OperationKind,
  { beliefs, choice, laterRoom }: Drawing,
  among: ReadonlySet<string> | undefined,
  at: RoomBelief = choice.pick(beliefs.rooms),
): Parts {
  const by = choice.pick(beliefs.users.filter((user) => among === undefined || among.has(user)));
  const room = at.name;
  const other = choice.pick(beliefs.users.filter((user) => user !== by));
  switch (op) {
    case "invite":
    case "kick":
    case "ban":
    case "unban":
      return { op, by, room, target: other };
    case "state": {
      const [type, stateKey] = choice.pick([
        ["m.room.topic"],
        ["m.room.name"],
        ["crucible.custom", ""],
        ["crucible.custom", "some-key"],
      ] as const);
      return { op, by, room, type, ...(stateKey ? { stateKey } : {}), content: {} };
    }
    case "levels":
      return { op, by, room, ...levelChange(at, by, other, choice) };
    case "join-rules":
      return { op, by, room, ...ruleChange(at, beliefs, choice) };
    case "visibility":
      return { op, by, room, visibility: choice.pick(["shared", "invited", "joined"] as const) };
    case "guests":
      return { op, by, room, access: choice.pick(["can_join", "forbidden"] as const) };
    case "redact": {
      const known = at.events.map(({ id }) => id);
      return known.length === 0
        ? { op: "message", by, room }
        : { op, by, room, target: choice.pick(known) };
    }
    case "upgrade": {
      const into = laterRoom(by, at);
      return into === undefined
        ? { op: "message", by, room }
        : { op, by, room, version: into.version, into: into.name };
    }
    case "alias":
    case "canonical-alias":
      return { op, by, room, alias: `${room}-${at.aliases.length + 1}` };
    case "acl":
      return { op, by, room, deny: absentServers(at, beliefs) };
    case "displayname":
      return { op, by, value: "" };
    case "to-device":
      return { op, by, target: other };
    case "new-device":
    case "upload-keys":
    case "kill-device":
    case "reset-identity":
    case "new-backup":
    case "restore-backup":
    case "sign-in":
    case "refresh":
    case "sign-out":
      return { op, by };
    default:
      return { op, by, room } as Parts;
  }
}

/** Servers of which nobody is in the room: to deny another one would be to wish for divergence. */
function absentServers(room: RoomBelief, beliefs: Beliefs): string[] {
  const present = new Set(
    beliefs.in(room, "join", "invite", "knock").map((user) => beliefs.homes[user]),
  );
  return [...new Set(Object.values(beliefs.homes))].filter((server) => !present.has(server));
}

function levelChange(room: RoomBelief, by: string, other: string, choice: Choice) {
  const own = levelOf(room, by);
  if (choice.chance(0.25)) {
    const setting = choice.pick(["invite", "kick", "ban", "redact", "state_default"]);
    return { settings: { [setting]: choice.pick([0, MODERATOR].filter((level) => level <= own)) } };
  }
  if (choice.chance(0.2)) return { events: { "m.room.topic": choice.pick([0, MODERATOR]) } };
  // Of admins none steps down: rooms would be left without.
  if (own < ADMIN && choice.chance(0.2)) return { users: { [by]: 0 } };
  return { users: { [other]: choice.pick([0, MODERATOR].filter((level) => level <= own)) } };
}

function ruleChange(room: RoomBelief, beliefs: Beliefs, choice: Choice) {
  const allow = beliefs.rooms.find(({ name }) => name !== room.name)?.name;
  const rules: NonNullable<RoomPlan["rule"]>[] = ["public", "invite"];
  if (room.version >= 7) rules.push("knock");
  if (room.version >= 8 && allow !== undefined) rules.push("restricted");
  if (room.version >= 10 && allow !== undefined) rules.push("knock_restricted");
  const rule = choice.pick(rules);
  return { rule, ...(rule.endsWith("restricted") && allow !== undefined ? { allow } : {}) };
}

function contentOf(type: string, text: string): Record<string, unknown> {
  if (type === "m.room.topic") return { topic: text };
  return type === "m.room.name" ? { name: text } : { value: text };
}

function levelOf(room: RoomBelief, user: string): number {
  return room.levels.get(user) ?? 0;
}
