/** Writes the events of a generated DAG one after the other, each authorised by the state that its author had. */
import { AuthEvent } from "#protocol/auth/auth-event";
import { type AuthState, type Cited, checkAuthEvents, checkState } from "#protocol/auth/rules";
import { selectAuthState } from "#protocol/auth/selection";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { compileEvent, type DagEvent } from "./dag-file.ts";

/** What an author wants to send. */
export type Draft = Pick<DagEvent, "type" | "stateKey" | "sender" | "content"> & {
  readonly redacts?: string;
  /** Instead of the event that was last on the branch. */
  readonly prev?: readonly string[];
};

/** The room as one server has it: ids by `type|state_key`, and the event that was last. */
export interface Branch {
  readonly state: Map<string, string>;
  last: string | undefined;
}

export class DagAuthor {
  readonly version: RoomVersion;
  readonly events: DagEvent[] = [];
  readonly #sent = new Map<string, { readonly subject: AuthEvent; readonly isRejected: boolean }>();

  constructor(version: RoomVersion) {
    this.version = version;
  }

  /** @throws RangeError before it was sent */
  get create(): DagEvent {
    const [create] = this.events;
    if (create === undefined) throw new RangeError("the room has no create event");
    return create;
  }

  /** The event as it would be sent from this branch; nothing is changed. */
  draft({ prev, ...draft }: Draft, { state, last }: Branch, id: string, ts: number): DagEvent {
    const event = {
      ...draft,
      // Domains of ids count only where the sender names them (rule of m.room.redaction in versions 1 and 2).
      id: this.version.eventIds === "given" ? `${id}${/:.*/.exec(draft.sender)?.[0] ?? ""}` : id,
      auth: [],
      prev: prev ?? (last === undefined ? [] : [last]),
      ts,
      isRejected: false,
    };
    const needed = selectAuthState(this.#compile(event), this.version).filter(
      ({ slot }) => slot !== "create",
    );
    const auth = needed.flatMap(({ type, stateKey }) => state.get(`${type}|${stateKey}`) ?? []);
    return { ...event, auth: [...new Set(auth)] };
  }

  /** Whether the event is allowed by what it cites. */
  isAllowed(event: DagEvent): boolean {
    const compiled = this.#compile(event);
    const cited = (id: string): Cited | undefined => {
      const sent = this.#sent.get(id);
      return sent && { event: sent.subject.event, isRejected: sent.isRejected };
    };
    if (checkAuthEvents(compiled, cited, this.version) !== undefined) return false;
    const subject = new AuthEvent(compiled, this.version);
    return checkState(subject, this.#stateOf(compiled), this.version) === undefined;
  }

  /** True for power levels that no state would allow: the content is wrong, or names a creator. */
  isMalformed(event: DagEvent): boolean {
    if (event.type !== "m.room.power_levels") return false;
    const { levels } = new AuthEvent(this.#compile(event), this.version);
    if (levels.problem(this.version) !== undefined) return true;
    const { creators } = new AuthEvent(this.#compile(this.create), this.version);
    return (
      this.version.hasPrivilegedCreators &&
      [...creators].some((creator) => Object.hasOwn(levels.users, creator))
    );
  }

  send(event: DagEvent): void {
    this.events.push(event);
    const subject = new AuthEvent(this.#compile(event), this.version);
    this.#sent.set(subject.event.id, { subject, isRejected: event.isRejected });
  }

  /** Sends the event and gives the branch its state. */
  extend(branch: Branch, event: DagEvent): void {
    this.send(event);
    if (event.stateKey !== undefined) {
      branch.state.set(`${event.type}|${event.stateKey}`, event.id);
    }
    branch.last = event.id;
  }

  /** The content of the branch's state at a key, empty when it has none. */
  contentOf(branch: Branch, key: string): JsonObject {
    const id = branch.state.get(key);
    return this.#sent.get(`$${id}`)?.subject.event.content ?? {};
  }

  #compile(event: DagEvent): RoomEvent {
    return compileEvent(event, this.events[0] ?? event, this.version);
  }

  #stateOf(event: RoomEvent): AuthState {
    const cited = event.authEvents.flatMap((id) => this.#sent.get(id)?.subject ?? []);
    const found = selectAuthState(event, this.version).map(({ slot, type, stateKey }) => [
      slot,
      cited.find((one) => one.event.type === type && one.event.stateKey === stateKey),
    ]);
    const { create = this.#sent.get(`$${this.create.id}`)?.subject, ...state }: AuthState =
      Object.fromEntries(found);
    return { ...state, create };
  }
}
