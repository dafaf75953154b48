/**
 * A plan: who does what, on which server, while which fault is in force. One format for all levels at which a story can be
 * told: by the oracle, by simulated servers, and by real ones. See docs/plan-format.md.
 */
import { z } from "zod";
import { HarnessError } from "#harness/errors";

export const PLAN_FORMAT = "crucible-plan/1";

/** `hs1`, `hs2`, … */
const role = z.string().regex(/^hs[1-9]$/);
/** The auth service of a server: `as1` of `hs1`. */
const component = z.string().regex(/^[ha]s[1-9]$/);
/** A name within the plan: of a user, a room, an operation or a fault. */
const name = z.string().regex(/^[a-z][a-z0-9-]*$/);
/** A directed link: sender, `>`, receiver. An auth service has links with its own server only. */
const link = z.string().regex(/^(hs[1-9]>hs[1-9]|hs([1-9])>as\2|as([1-9])>hs\3)$/);
const json = z.record(z.string(), z.unknown());

const ROOM_RULES = ["public", "invite", "knock", "restricted", "knock_restricted"] as const;
const ruleOfRoom = z.enum(ROOM_RULES);

/** Of every operation: its name, who does it and in which room. */
const common = {
  id: name,
  by: name,
  /** What the author's clock is ahead, milliseconds; absent: it is true. */
  ahead: z.number().int().optional(),
  /** How its client behaves: sends the request twice, or goes away once it is sent and asks again. */
  client: z.enum(["twice", "abort"]).optional(),
};
const inRoom = { ...common, room: name };
const onUser = { ...inRoom, target: name };
/** Of what one of the author's devices that encrypt does; the first unless given. */
const onDevice = { ...common, device: z.number().int().min(1).optional() };

const operation = z.discriminatedUnion("op", [
  /** `device`: which of the author's devices says it, in a room that is encrypted; the first unless given. */
  z.strictObject({
    op: z.literal("message"),
    ...inRoom,
    text: z.string().optional(),
    device: z.number().int().min(1).optional(),
  }),
  z.strictObject({
    op: z.literal("state"),
    ...inRoom,
    type: z.string(),
    stateKey: z.string().optional(),
    content: json,
  }),
  z.strictObject({ op: z.literal("join"), ...inRoom }),
  z.strictObject({ op: z.literal("leave"), ...inRoom }),
  z.strictObject({ op: z.literal("knock"), ...inRoom }),
  z.strictObject({ op: z.literal("forget"), ...inRoom }),
  /** A leave of who was invited. */
  z.strictObject({ op: z.literal("reject"), ...inRoom }),
  z.strictObject({ op: z.literal("invite"), ...onUser }),
  z.strictObject({ op: z.literal("kick"), ...onUser }),
  z.strictObject({ op: z.literal("ban"), ...onUser }),
  z.strictObject({ op: z.literal("unban"), ...onUser }),
  /** Changes the power levels that the author's server has now. */
  z.strictObject({
    op: z.literal("levels"),
    ...inRoom,
    /** Null takes a user's level away. */
    users: z.record(name, z.number().int().nullable()).optional(),
    /** `ban`, `state_default`, … */
    settings: z.record(z.string(), z.number().int()).optional(),
    events: z.record(z.string(), z.number().int()).optional(),
  }),
  /** `allow`: the room whose members may join a restricted one. */
  z.strictObject({
    op: z.literal("join-rules"),
    ...inRoom,
    rule: ruleOfRoom,
    allow: name.optional(),
  }),
  z.strictObject({
    op: z.literal("visibility"),
    ...inRoom,
    visibility: z.enum(["world_readable", "shared", "invited", "joined"]),
  }),
  z.strictObject({
    op: z.literal("guests"),
    ...inRoom,
    access: z.enum(["can_join", "forbidden"]),
  }),
  /** `target`: the operation whose event is redacted. */
  z.strictObject({ op: z.literal("redact"), ...inRoom, target: name }),
  z.strictObject({ op: z.literal("upgrade"), ...inRoom, version: z.string(), into: name }),
  z.strictObject({ op: z.literal("alias"), ...inRoom, alias: name }),
  z.strictObject({ op: z.literal("canonical-alias"), ...inRoom, alias: name }),
  z.strictObject({ op: z.literal("acl"), ...inRoom, deny: z.array(role) }),
  z.strictObject({ op: z.literal("displayname"), ...common, value: z.string() }),
  z.strictObject({ op: z.literal("typing"), ...inRoom }),
  /** `target`: the operation whose event has been read; absent: the newest that the user sees. */
  z.strictObject({ op: z.literal("receipt"), ...inRoom, target: name.optional() }),
  z.strictObject({ op: z.literal("to-device"), ...common, target: name }),
  /** Logs in a further device. */
  z.strictObject({ op: z.literal("new-device"), ...common }),
  z.strictObject({ op: z.literal("upload-keys"), ...common }),
  /** Its process dies at once, and comes back with what its store has. */
  z.strictObject({ op: z.literal("kill-device"), ...onDevice }),
  /** It makes a new cross-signing identity for its user, whatever there was before. */
  z.strictObject({ op: z.literal("reset-identity"), ...onDevice }),
  /** It begins a new version of its user's backup with a new key, which goes to secret storage, and puts all that it has into it. */
  z.strictObject({ op: z.literal("new-backup"), ...onDevice }),
  /** It takes the backup's key out of secret storage, and all room keys out of the backup. */
  z.strictObject({ op: z.literal("restore-backup"), ...onDevice }),
  /** At the auth service, with a browser: a further device, with tokens of its own. */
  z.strictObject({ op: z.literal("sign-in"), ...common }),
  /** The oldest of what has signed in so gets new tokens. */
  z.strictObject({ op: z.literal("refresh"), ...common }),
  /** The newest of them signs out. */
  z.strictObject({ op: z.literal("sign-out"), ...common }),
]);

/** What only an auth service can do for its users. */
export const AUTH_OPERATIONS = ["sign-in", "refresh", "sign-out"] as const;

/** What only devices that encrypt can do. */
export const DEVICE_OPERATIONS = [
  "kill-device",
  "reset-identity",
  "new-backup",
  "restore-backup",
] as const;

/** What can be wrong with links. */
export const FAULT_KINDS = [
  "refuse",
  "reset",
  "blackhole",
  "delay",
  "slow-body",
  "drop-request",
  "drop-answer",
  "duplicate",
  "reorder",
  "status",
  "truncate",
  "wrong-certificate",
  "disconnect",
  /** Who calls over the link dies once the call has been done and before it is answered; it comes back with the heal. */
  "kill-caller",
] as const;

const fault = z.strictObject({
  fault: z.enum(FAULT_KINDS),
  id: name,
  links: z.array(link).min(1),
  /** How people call it: `halves`, `isolate hs1`, … */
  title: z.string().optional(),
  /** Milliseconds of `delay`, with so much jitter. */
  ms: z.number().int().optional(),
  jitter: z.number().int().optional(),
  /** Of `status`: the answer's status and whether its body is HTML. */
  status: z.number().int().optional(),
  isHtml: z.boolean().optional(),
  bytesPerSecond: z.number().int().optional(),
  /** Path of the requests that it concerns; absent: all. */
  path: z.string().optional(),
  /** Acts at most so often. */
  times: z.number().int().optional(),
});

const serverAction = z.strictObject({
  server: component,
  action: z.enum([
    "pause",
    "resume",
    "stop",
    "start",
    "kill",
    "restart",
    "restart-database",
    "fill-disk",
    "free-disk",
  ]),
});

const step = z.union([
  operation,
  /** Done at the same time by their users; a user has one of them at most. */
  z.strictObject({ together: z.array(operation).min(2) }),
  fault,
  z.strictObject({ heal: z.union([z.array(name).min(1), z.literal("all")]) }),
  serverAction,
  /** Waits until the events of these operations (absent: of all so far) are seen on these servers (absent: that can). */
  z.strictObject({
    await: z.literal("delivered"),
    of: z.array(name).optional(),
    servers: z.array(role).optional(),
  }),
  /**
   * All faults end, all servers run, and all have to agree: after one new message of each server in each room
   * (`nudged`), or by themselves (`silent`). What can be seen is written to the journal and looked at by every checker.
   */
  z.strictObject({ converge: z.enum(["nudged", "silent"]) }),
]);

const room = z.strictObject({
  /** Room version; absent: that of the run. */
  version: z.string().optional(),
  creator: name,
  rule: ruleOfRoom.optional(),
  /** Of `restricted`: whose members may join. */
  allow: name.optional(),
  /** Have joined before the story begins; the creator has anyway. */
  members: z.array(name).optional(),
  /** Power levels of users before the story begins. */
  levels: z.record(name, z.number().int()).optional(),
  /** Of settings, as `invite` or `state_default`. */
  settings: z.record(z.string(), z.number().int()).optional(),
  /** What is said in it is encrypted from the beginning. */
  encrypted: z.boolean().optional(),
  /** Is upgraded into during the story: not there before. */
  isLater: z.boolean().optional(),
});

/** What stands in the end in a room of one of these versions (absent: of any), by `type|state key`; user names in keys. */
const expectation = z.strictObject({
  room: name,
  versions: z.array(z.string()).optional(),
  /** The operation whose event stands; null: nothing does; `first`: what stood when the story began. */
  state: z.record(z.string(), z.union([name, z.null()])),
  /** The class of the known reset that this is, see docs/dag-format.md. */
  reset: z.enum(["A", "B", "C", "D"]).optional(),
});

const planSchema = z.strictObject({
  format: z.literal(PLAN_FORMAT),
  id: name,
  title: z.string(),
  /** The story in words. */
  story: z.string().optional(),
  /** What it was made from at random. */
  seed: z.number().int().optional(),
  servers: z.number().int().min(1).max(5),
  /** Each server has an auth service: `as1` of `hs1`, … */
  auth: z.boolean().optional(),
  /** Server of each user. */
  users: z.record(name, role),
  /** How many devices that encrypt each user has; 1 unless given, where a room is encrypted. */
  devices: z.number().int().min(1).max(4).optional(),
  rooms: z.record(name, room),
  steps: z.array(step),
  expect: z.array(expectation).optional(),
});

export type Plan = z.infer<typeof planSchema>;
export type RoomPlan = Plan["rooms"][string];
export type Step = Plan["steps"][number];
export type Operation = z.infer<typeof operation>;
export type OperationKind = Operation["op"];
export type DeviceOperation = Extract<Operation, { op: (typeof DEVICE_OPERATIONS)[number] }>;
export type AuthOperation = Extract<Operation, { op: (typeof AUTH_OPERATIONS)[number] }>;
export type FaultStep = z.infer<typeof fault>;
export type FaultKind = FaultStep["fault"];
export type ServerStep = z.infer<typeof serverAction>;
export type Expectation = z.infer<typeof expectation>;

/**
 * Reads a plan and sees that it makes sense: names are known, and each operation and fault has one of its own.
 *
 * @param file as messages name it
 * @throws HarnessError BAD_FILE with the place of the first mistake
 */
export function parsePlan(value: unknown, file: string): Plan {
  const parsed = planSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue?.path.map(String).join(".") || "the file";
    throw bad(file, place, issue?.message ?? "is no plan");
  }
  const problem = problemOf(parsed.data);
  if (problem !== undefined) throw bad(file, problem.place, problem.what);
  return parsed.data;
}

/** Roles of a plan's servers: `hs1`, `hs2`, … */
export function rolesOf({ servers }: Pick<Plan, "servers">): readonly string[] {
  return Array.from({ length: servers }, (_, at) => `hs${at + 1}`);
}

export function isOfDevice(operation: Operation): operation is DeviceOperation {
  return DEVICE_OPERATIONS.some((op) => op === operation.op);
}

export function isOfAuth(operation: Operation): operation is AuthOperation {
  return AUTH_OPERATIONS.some((op) => op === operation.op);
}

/** `as1` of `hs1`, and the other way round. */
export function partnerOf(role: string): string {
  return role.startsWith("hs") ? `as${role.slice(2)}` : `hs${role.slice(2)}`;
}

export function isAuthRole(role: string): boolean {
  return role.startsWith("as");
}

/** All operations of a plan, in order. */
export function operationsOf({ steps }: Pick<Plan, "steps">): readonly Operation[] {
  return steps.flatMap((one) => ("op" in one ? [one] : "together" in one ? one.together : []));
}

function problemOf(plan: Plan): { place: string; what: string } | undefined {
  const homeservers = rolesOf(plan);
  const servers = new Set([...homeservers, ...(plan.auth ? homeservers.map(partnerOf) : [])]);
  const users = new Set(Object.keys(plan.users));
  const rooms = new Set(Object.keys(plan.rooms));
  const known = new Set<string>();
  const bad = (place: string, what: string) => ({ place, what });
  for (const [user, home] of Object.entries(plan.users)) {
    if (!servers.has(home)) return bad(`users.${user}`, `there is no server ${home}`);
  }
  for (const [at, { creator, members = [], levels = {}, allow }] of Object.entries(plan.rooms)) {
    const unknown = [creator, ...members, ...Object.keys(levels)].find((user) => !users.has(user));
    if (unknown !== undefined) return bad(`rooms.${at}`, `there is no user ${unknown}`);
    if (allow !== undefined && !rooms.has(allow))
      return bad(`rooms.${at}.allow`, `there is no room ${allow}`);
  }
  const problemOfOperation = (place: string, one: Operation) => {
    if (known.has(one.id)) return bad(place, `there is a second ${one.id}`);
    if (!users.has(one.by)) return bad(place, `there is no user ${one.by}`);
    if (isOfAuth(one) && plan.auth !== true) return bad(place, `${one.op} needs "auth": true`);
    if ("room" in one && !rooms.has(one.room)) return bad(place, `there is no room ${one.room}`);
    const [of = "", unknown] = strangerIn(one, users, rooms, servers) ?? [];
    if (unknown !== undefined) return bad(place, `there is no ${of} ${unknown}`);
    if ("device" in one && (one.device ?? 1) > (plan.devices ?? 1))
      return bad(place, `there is no device ${one.device} of ${one.by}`);
    if ("target" in one && one.target !== undefined) {
      const isEvent = one.op === "redact" || one.op === "receipt";
      if (!(isEvent ? known : users).has(one.target))
        return bad(place, `there is no ${isEvent ? "earlier operation" : "user"} ${one.target}`);
    }
    known.add(one.id);
    return undefined;
  };
  for (const [at, one] of plan.steps.entries()) {
    const place = `steps.${at}`;
    const operations = "op" in one ? [one] : "together" in one ? one.together : [];
    for (const each of operations) {
      const problem = problemOfOperation(place, each);
      if (problem !== undefined) return problem;
    }
    if ("together" in one && new Set(operations.map(({ by }) => by)).size < operations.length)
      return bad(place, "a user does two things at the same time");
    if ("fault" in one) {
      if (known.has(one.id)) return bad(place, `there is a second ${one.id}`);
      known.add(one.id);
      const ends = one.links.flatMap((each) => each.split(">"));
      const unknown = ends.find((end) => !servers.has(end));
      if (unknown !== undefined) return bad(place, `there is no server ${unknown}`);
    }
    if ("server" in one && !servers.has(one.server))
      return bad(place, `there is no server ${one.server}`);
    const stranger = "await" in one ? one.servers?.find((each) => !servers.has(each)) : undefined;
    if (stranger !== undefined) return bad(place, `there is no server ${stranger}`);
    const named = "heal" in one && one.heal !== "all" ? one.heal : "await" in one ? one.of : [];
    const unknown = named?.find((id) => !known.has(id));
    if (unknown !== undefined) return bad(place, `there is no earlier ${unknown}`);
  }
  for (const [at, { room: of, state }] of (plan.expect ?? []).entries()) {
    if (!rooms.has(of)) return bad(`expect.${at}`, `there is no room ${of}`);
    const unknown = Object.values(state).find((id) => id !== null && !known.has(id));
    if (unknown !== undefined && unknown !== null && unknown !== "first")
      return bad(`expect.${at}.state`, `there is no operation ${unknown}`);
  }
  return undefined;
}

/** Of the names that only some operations have, one that nobody has: of what, and which. */
function strangerIn(
  one: Operation,
  users: ReadonlySet<string>,
  rooms: ReadonlySet<string>,
  servers: ReadonlySet<string>,
): readonly [of: string, name: string | undefined] | undefined {
  const outside = (known: ReadonlySet<string>, names: readonly string[]) =>
    names.find((each) => !known.has(each));
  switch (one.op) {
    case "levels":
      return ["user", outside(users, Object.keys(one.users ?? {}))];
    case "join-rules":
      return ["room", outside(rooms, one.allow === undefined ? [] : [one.allow])];
    case "upgrade":
      return ["room", outside(rooms, [one.into])];
    case "acl":
      return ["server", outside(servers, one.deny)];
    default:
      return undefined;
  }
}

function bad(file: string, place: string, what: string): HarnessError {
  return new HarnessError("BAD_FILE", {
    what: `${file}: ${place}: ${what}`,
    next: "docs/plan-format.md describes the format",
  });
}
