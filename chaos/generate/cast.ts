/** What a generator believes of its story: who is where with which level, as if every operation had worked everywhere. */
import type { Operation, Plan, RoomPlan } from "#scenarios/plan";

type Membership = "join" | "leave" | "invite" | "ban" | "knock";

export interface RoomBelief {
  readonly name: string;
  readonly version: number;
  rule: NonNullable<RoomPlan["rule"]>;
  readonly memberships: Map<string, Membership>;
  readonly levels: Map<string, number>;
  /** Operations whose events can be redacted or read. */
  readonly events: { readonly id: string; readonly by: string; readonly op: Operation["op"] }[];
  readonly aliases: string[];
  isTombstoned: boolean;
}

const CREATOR = 100;

export class Beliefs {
  readonly homes: Readonly<Record<string, string>>;
  readonly rooms: RoomBelief[] = [];
  /** Which of a user's devices has begun the backup that can be restored. */
  readonly backups = new Map<string, number>();

  constructor(homes: Plan["users"]) {
    this.homes = homes;
  }

  get users(): readonly string[] {
    return Object.keys(this.homes);
  }

  add(name: string, { version = "12", creator, rule = "public", ...room }: RoomPlan): void {
    const members = [creator, ...(room.members ?? [])];
    this.rooms.push({
      name,
      version: Number(version),
      rule,
      memberships: new Map(members.map((user) => [user, "join"])),
      levels: new Map([[creator, CREATOR], ...Object.entries(room.levels ?? {})]),
      events: [],
      aliases: [],
      isTombstoned: false,
    });
  }

  in(room: RoomBelief, ...memberships: readonly Membership[]): readonly string[] {
    return this.users.filter((user) => memberships.includes(room.memberships.get(user) ?? "leave"));
  }

  /** Joined users with at least this level. */
  withLevel(room: RoomBelief, level: number): readonly string[] {
    return this.in(room, "join").filter((user) => (room.levels.get(user) ?? 0) >= level);
  }

  serversIn(room: RoomBelief): ReadonlySet<string> {
    return new Set(this.in(room, "join").flatMap((user) => this.homes[user] ?? []));
  }

  /** Believes that it worked. */
  note(operation: Operation): void {
    if (operation.op === "new-backup") this.backups.set(operation.by, operation.device ?? 1);
    // Secret storage then has the keys of an identity that is no more.
    if (operation.op === "reset-identity") this.backups.delete(operation.by);
    if (!("room" in operation)) return;
    const room = this.rooms.find(({ name }) => name === operation.room);
    if (room === undefined) return;
    const { id, by, op } = operation;
    const target = "target" in operation ? (operation.target ?? "") : "";
    const set = (user: string, membership: Membership) => room.memberships.set(user, membership);
    switch (op) {
      case "message":
      case "state":
        room.events.push({ id, by, op });
        return;
      case "join":
        set(by, "join");
        return;
      case "leave":
      case "reject":
        set(by, "leave");
        return;
      case "knock":
        set(by, "knock");
        return;
      case "invite":
        set(target, "invite");
        return;
      case "ban":
        set(target, "ban");
        return;
      case "kick":
      case "unban":
        set(target, "leave");
        return;
      case "levels":
        room.events.push({ id, by, op });
        for (const [user, level] of Object.entries(operation.users ?? {})) {
          room.levels.set(user, level ?? 0);
        }
        return;
      case "join-rules":
        room.events.push({ id, by, op });
        room.rule = operation.rule;
        return;
      case "alias":
        room.aliases.push(operation.alias);
        return;
      case "upgrade":
        room.isTombstoned = true;
        return;
    }
  }
}
