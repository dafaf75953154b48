/** What a client sends for an operation of a plan. */
import { path, type Query } from "#harness/http/client";
import { isOfAuth, isOfDevice, type Operation } from "#scenarios/plan";
import type { Actor, Cast } from "./cast.ts";

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly query?: Query;
  /** Its transaction id, when it has one. */
  readonly txn?: string;
}

/** What only the servers know. */
export interface Lookups {
  /** The power levels as the author's server has them, empty when it has none; undefined: it does not show them. */
  readonly levels: (roomId: string) => Promise<Readonly<Record<string, unknown>> | undefined>;
  /** The newest event that the author has been shown. */
  readonly newest: (roomId: string) => string | undefined;
  /** A device of a user of the plan. */
  readonly deviceOf: (user: string) => string;
}

/** The request of an operation; text: why it can not be made. */
export async function callOf(
  operation: Operation,
  cast: Cast,
  author: Actor,
  lookups: Lookups,
): Promise<Call | string> {
  const txn = `${cast.suffix}-${operation.id}`;
  if (operation.op === "displayname") {
    const body = { displayname: operation.value };
    return put(path`/_matrix/client/v3/profile/${author.userId}/displayname`, body);
  }
  if (operation.op === "to-device") {
    const { userId } = cast.actor(operation.target);
    const device = lookups.deviceOf(operation.target);
    const target = path`/_matrix/client/v3/sendToDevice/m.crucible.chaos/${txn}`;
    const messages = { [userId]: { [device]: { crucible: operation.id } } };
    return { ...put(target, { messages }), txn };
  }
  if (operation.op === "new-device") {
    return post("/_matrix/client/v3/login", author.login.body);
  }
  if (operation.op === "upload-keys") {
    return post("/_matrix/client/v3/keys/upload", { device_keys: keysOf(author, txn) });
  }
  if (isOfDevice(operation)) return "nothing is encrypted";
  if (isOfAuth(operation)) return "nobody has an auth service";
  const room = cast.rooms.get(operation.room)?.id;
  if (room === undefined) return `the room ${operation.room} is not there`;
  const state = (type: string, content: unknown, key = "") =>
    put(path`/_matrix/client/v3/rooms/${room}/state/${type}/${key}`, content);
  const member = (target: string, membership: string) =>
    state("m.room.member", { membership }, cast.actor(target).userId);
  switch (operation.op) {
    case "message": {
      const body = { msgtype: "m.text", body: operation.text ?? operation.id };
      return {
        ...put(path`/_matrix/client/v3/rooms/${room}/send/m.room.message/${txn}`, body),
        txn,
      };
    }
    case "state":
      return state(operation.type, operation.content, operation.stateKey ?? "");
    case "join":
    case "knock": {
      const via = cast.via(operation.room);
      const target =
        operation.op === "join"
          ? path`/_matrix/client/v3/join/${room}`
          : path`/_matrix/client/v3/knock/${room}`;
      return { ...post(target, {}), query: { via, server_name: via } };
    }
    case "leave":
      return member(operation.by, "leave");
    case "reject":
      return post(path`/_matrix/client/v3/rooms/${room}/leave`, {});
    case "forget":
      return post(path`/_matrix/client/v3/rooms/${room}/forget`, {});
    case "invite":
      return member(operation.target, "invite");
    case "kick":
    case "unban":
      return member(operation.target, "leave");
    case "ban":
      return member(operation.target, "ban");
    case "levels": {
      const before = await lookups.levels(room);
      if (before === undefined) return `${author.name} is not shown the power levels`;
      return state("m.room.power_levels", changedLevels(operation, before, cast));
    }
    case "join-rules": {
      const { rule, allow } = operation;
      const from = allow === undefined ? undefined : cast.rooms.get(allow)?.id;
      return state("m.room.join_rules", joinRules(rule, from));
    }
    case "visibility":
      return state("m.room.history_visibility", { history_visibility: operation.visibility });
    case "guests":
      return state("m.room.guest_access", { guest_access: operation.access });
    case "redact": {
      const [event] = cast.events.get(operation.target) ?? [];
      if (event === undefined) return `${operation.target} has no event`;
      return { ...put(path`/_matrix/client/v3/rooms/${room}/redact/${event}/${txn}`, {}), txn };
    }
    case "upgrade":
      return post(path`/_matrix/client/v3/rooms/${room}/upgrade`, {
        new_version: operation.version,
      });
    case "alias": {
      const alias = cast.alias(operation.alias, author.role);
      return put(path`/_matrix/client/v3/directory/room/${alias}`, { room_id: room });
    }
    case "canonical-alias":
      return state("m.room.canonical_alias", {
        alias: cast.alias(operation.alias, author.role),
      });
    case "acl":
      return state("m.room.server_acl", {
        allow: ["*"],
        allow_ip_literals: true,
        // Servers are matched without their ports.
        deny: operation.deny.map((role) => cast.serverName(role).replace(/:\d+$/, "")),
      });
    case "typing":
      return put(path`/_matrix/client/v3/rooms/${room}/typing/${author.userId}`, {
        typing: true,
        timeout: 5000,
      });
    case "receipt": {
      const { target } = operation;
      const event = target === undefined ? lookups.newest(room) : cast.events.get(target)?.[0];
      if (event === undefined) return "there is no event to have read";
      return post(path`/_matrix/client/v3/rooms/${room}/receipt/m.read/${event}`, {});
    }
  }
}

/** Content of m.room.join_rules. */
export function joinRules(rule: string, from: string | undefined): unknown {
  return {
    join_rule: rule,
    ...(from === undefined ? {} : { allow: [{ type: "m.room_membership", room_id: from }] }),
  };
}

function changedLevels(
  { users = {}, settings = {}, events = {} }: Extract<Operation, { op: "levels" }>,
  before: Readonly<Record<string, unknown>>,
  cast: Cast,
): Readonly<Record<string, unknown>> {
  const levels: Record<string, unknown> = { ...(before.users as Record<string, unknown>) };
  for (const [user, level] of Object.entries(users)) {
    const { userId } = cast.actor(user);
    if (level === null) delete levels[userId];
    else levels[userId] = level;
  }
  return {
    ...before,
    ...settings,
    users: levels,
    events: { ...(before.events as Record<string, unknown>), ...events },
  };
}

/** Of the right form; nobody encrypts for them. */
function keysOf({ userId, session: { deviceId } }: Actor, seed: string): unknown {
  const key = Buffer.from(seed.padEnd(32, ".").slice(-32)).toString("base64").replace(/=+$/, "");
  return {
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    keys: { [`ed25519:${deviceId}`]: key, [`curve25519:${deviceId}`]: key },
    signatures: { [userId]: { [`ed25519:${deviceId}`]: key } },
  };
}

function put(target: string, body: unknown): Call {
  return { method: "PUT", path: target, body };
}

function post(target: string, body: unknown): Call {
  return { method: "POST", path: target, body };
}
