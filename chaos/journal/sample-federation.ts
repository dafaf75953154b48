/**
 * A small federation for specs: servers that have what they were given and do as the rules say, and the journal of it.
 * Events have real hashes and ids, and no signatures.
 */
import type { StateIds } from "#harness/replay/record";
import { domainOf } from "#protocol/auth/auth-event";
import { selectAuthState } from "#protocol/auth/selection";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { contentHash, eventId } from "#protocol/events/hashes";
import { readEvent } from "#protocol/events/read-event";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import { rolesOf } from "#scenarios/plan";
import type { JournalBody, JournalRecord, Moment } from "./record.ts";

export interface Sent {
  readonly stateKey?: string;
  /** Instead of what the user's server has last. */
  readonly prev?: readonly string[];
  /** Milliseconds that the author's clock is ahead. */
  readonly ahead?: number;
  readonly redacts?: string;
}

const STEP_MS = 1000;
const START_MS = 1_700_000_000_000;

export class SampleFederation {
  readonly version: RoomVersion;
  /** Names by role. */
  readonly servers: Readonly<Record<string, string>>;
  readonly bodies: JournalBody[] = [];
  readonly #events = new Map<string, { readonly event: RoomEvent; readonly pdu: JsonObject }>();
  /** Ids of what each server has, by role. */
  readonly #known: ReadonlyMap<string, Set<string>>;
  readonly #extremities = new Map<string, readonly string[]>();
  #clock = START_MS;
  #history: RoomHistory | undefined;
  roomId = "";

  constructor(version = "11", count = 3) {
    const found = roomVersion(version);
    if (found === undefined) throw new RangeError(`there is no version ${version}`);
    this.version = found;
    const roles = rolesOf({ servers: count });
    this.servers = Object.fromEntries(roles.map((role) => [role, `${role}.test`]));
    this.#known = new Map(roles.map((role) => [role, new Set()]));
  }

  /** A public room of alice of hs1, in which one user of each other server is: bob, charlie, dora, eve. */
  static withRoom(version?: string, count?: number): SampleFederation {
    const federation = new SampleFederation(version, count);
    federation.found();
    for (const [at, role] of Object.keys(federation.servers).entries()) {
      if (at > 0) federation.join(["bob", "charlie", "dora", "eve"][at - 1] ?? "", role);
    }
    return federation;
  }

  /**
   * Charlie of hs3 has joined before the room was closed, which a branch of hs2 that knew of neither undoes: all but his own
   * server have him out (class D), and he speaks to nobody.
   */
  static torn(version?: string): SampleFederation {
    const federation = new SampleFederation(version, 3);
    const [alice, bob, charlie] = ["@alice:hs1.test", "@bob:hs2.test", "@charlie:hs3.test"];
    federation.found();
    federation.join("bob", "hs2");
    federation.member(charlie, charlie, "join");
    federation.deliver(["hs1"]);
    federation.send(alice, "m.room.join_rules", { join_rule: "invite" }, { stateKey: "" });
    federation.deliver(["hs3"]);
    federation.message(bob, "of all that I know nothing");
    federation.deliver(["hs1", "hs2"]);
    for (const user of [alice, bob]) federation.message(user, "nudge");
    federation.deliver(["hs1", "hs2"]);
    federation.message(charlie, "is anybody there?");
    federation.observe();
    return federation;
  }

  found(rule = "public"): void {
    const alice = "@alice:hs1.test";
    this.send(
      alice,
      "m.room.create",
      {
        room_version: this.version.id,
        ...(this.version.hasImplicitCreator ? {} : { creator: alice }),
      },
      { stateKey: "" },
    );
    this.member(alice, alice, "join");
    const users = this.version.hasPrivilegedCreators ? {} : { [alice]: 100 };
    this.send(alice, "m.room.power_levels", { users }, { stateKey: "" });
    this.send(alice, "m.room.join_rules", { join_rule: rule }, { stateKey: "" });
    this.deliver();
  }

  user(name: string, role: string): string {
    return `@${name}:${this.servers[role]}`;
  }

  /** Joins, and all servers hear of it. */
  join(name: string, role: string): string {
    const user = this.user(name, role);
    const id = this.member(user, user, "join");
    this.deliver();
    return id;
  }

  member(sender: string, target: string, membership: string, sent: Sent = {}): string {
    return this.send(sender, "m.room.member", { membership }, { ...sent, stateKey: target });
  }

  message(sender: string, body = "hello", sent: Sent = {}): string {
    return this.send(sender, "m.room.message", { msgtype: "m.text", body }, sent);
  }

  /** An event of the user, on top of what his server has; the server has it then, and has acknowledged it. */
  send(sender: string, type: string, content: JsonObject, sent: Sent = {}): string {
    const id = this.make(sender, type, content, sent);
    const server = domainOf(sender);
    this.take(this.#roleOf(server), id, "created");
    this.bodies.push({
      t: "step",
      id: this.bodies.length,
      name: `${sender} sends ${type}`,
      ok: true,
      events: [id],
      step: `step-${this.bodies.length}`,
      op: type === "m.room.message" ? "message" : "state",
      by: sender,
      server,
      room: this.roomId,
      outcome: "ok",
      status: 200,
      began: this.#clock,
    });
    return id;
  }

  /** An event that nobody has yet. */
  make(sender: string, type: string, content: JsonObject, sent: Sent = {}): string {
    const { version } = this;
    const role = this.#roleOf(domainOf(sender));
    const prev = sent.prev ?? this.extremities(role);
    this.#clock += STEP_MS;
    const isRoot = type === "m.room.create";
    if (isRoot) this.roomId = "!room:hs1.test";
    const draft: JsonObject = {
      type,
      sender,
      content: sent.redacts === undefined ? content : { redacts: sent.redacts, ...content },
      ...(sent.stateKey === undefined ? {} : { state_key: sent.stateKey }),
      ...(isRoot && version.isRoomIdHash ? {} : { room_id: this.roomId }),
      origin_server_ts: this.#clock + (sent.ahead ?? 0),
      depth: this.#events.size + 1,
      prev_events: prev,
      auth_events: [],
      signatures: {},
    };
    const state = this.stateAfter(prev);
    const needed = selectAuthState(readEvent({ event_id: "$draft", ...draft }, version), version);
    const cited = needed.flatMap(({ slot, type: of, stateKey }) =>
      slot === "create" && version.isRoomIdHash ? [] : (state[`${of}|${stateKey}`] ?? []),
    );
    const whole = { ...draft, auth_events: [...new Set(cited)] };
    const pdu: JsonObject = { ...whole, hashes: { sha256: contentHash(whole) } };
    const id = eventId(pdu, version);
    if (isRoot && version.isRoomIdHash) this.roomId = `!${id.slice(1)}`;
    this.#events.set(id, { pdu, event: readEvent({ event_id: id, ...pdu }, version) });
    this.#history = undefined;
    this.bodies.push({ t: "pdu", event_id: id, pdu });
    return id;
  }

  /** Servers (all unless given) get these events (all unless given) and what is before them. */
  deliver(
    to: readonly string[] = Object.keys(this.servers),
    ids: readonly string[] = [...this.#events.keys()],
  ): void {
    for (const role of to) {
      for (const id of this.#withPast(ids)) {
        if (!this.#known.get(role)?.has(id)) this.take(role, id, "send");
      }
    }
  }

  take(
    role: string,
    id: string,
    via: "created" | "send",
    verdict: "accepted" | "soft_failed" | "rejected" = "accepted",
  ): void {
    this.#known.get(role)?.add(id);
    if (verdict === "accepted") {
      const followed = this.#events.get(id)?.event.prevEvents ?? [];
      const others = this.extremities(role).filter((one) => !followed.includes(one));
      this.#extremities.set(role, [...others, id]);
    }
    this.bodies.push({ t: "arrive", server: this.servers[role] ?? "", event_id: id, via, verdict });
  }

  extremities(role: string): readonly string[] {
    return this.#extremities.get(role) ?? [];
  }

  has(role: string, id: string): boolean {
    return this.#known.get(role)?.has(id) ?? false;
  }

  state(role: string): StateIds {
    return this.stateAfter(this.extremities(role));
  }

  stateAfter(ids: readonly string[]): StateIds {
    this.#history ??= new RoomHistory(
      [...this.#events.values()].map(({ event }) => event),
      this.version,
    );
    return this.#history.named(this.#history.stateAfter(ids));
  }

  /** The server's state is looked at. */
  look(
    role: string,
    moment: Moment = "watch",
    changed: Partial<{ state: StateIds; extremities: readonly string[] }> = {},
  ): void {
    this.bodies.push({
      t: "state",
      room: this.roomId,
      server: this.servers[role] ?? "",
      moment,
      source: "client",
      state: this.state(role),
      extremities: this.extremities(role),
      ...changed,
    });
  }

  /** What is seen when all is quiet: by one user of each server, who asks for all events. */
  observe(epoch = 1, mode: "nudged" | "silent" = "nudged"): void {
    for (const [role, server] of Object.entries(this.servers)) {
      this.look(role, "quiescent");
      const state = this.state(role);
      const members = Object.fromEntries(
        Object.entries(state).flatMap(([key, id]) => {
          const { event } = this.#events.get(id) ?? {};
          return key.startsWith("m.room.member|") && event !== undefined
            ? [[event.stateKey ?? "", String(event.content.membership)]]
            : [];
        }),
      );
      const user = Object.keys(members).find((one) => domainOf(one) === server);
      if (user === undefined) continue;
      const asked = { epoch, server, user, room: this.roomId };
      for (const id of this.#events.keys()) {
        const status = this.has(role, id) ? 200 : 404;
        this.bodies.push({ t: "event", ...asked, event_id: id, status });
      }
      const joined = Object.keys(members).filter((one) => members[one] === "join");
      this.bodies.push({ t: "members", ...asked, members, joined });
    }
    this.bodies.push({ t: "recovery", epoch, mode, ms: 400, limit_ms: 30_000, missing: [] });
  }

  /** The journal so far. @param change what of it is told otherwise; null: is not told */
  records(
    change: (body: JournalBody) => JournalBody | null = (body) => body,
  ): readonly JournalRecord[] {
    const cast: JournalBody = {
      t: "cast",
      servers: this.servers,
      users: {},
      rooms: { room: this.roomId },
      versions: { [this.roomId]: this.version.id },
    };
    return [cast, ...this.bodies]
      .flatMap((body) => change(body) ?? [])
      .map((body, at) => ({ seq: at + 1, at: START_MS + at, ...body }));
  }

  #roleOf(server: string): string {
    return Object.keys(this.servers).find((role) => this.servers[role] === server) ?? "";
  }

  /** In the order in which they were made. */
  #withPast(ids: readonly string[]): readonly string[] {
    const found = new Set<string>();
    const next = [...ids];
    for (let id = next.pop(); id !== undefined; id = next.pop()) {
      if (found.has(id)) continue;
      found.add(id);
      next.push(...(this.#events.get(id)?.event.prevEvents ?? []));
    }
    return [...this.#events.keys()].filter((id) => found.has(id));
  }
}
