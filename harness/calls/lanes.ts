/** Whose lane something belongs to: devices as the check knows them, else what the wire log tells of its clients. */
import type { CallRecord } from "#harness/results/call";
import type { CallFact, EventFacts } from "./facts.ts";

export interface Owner {
  readonly user: string;
  readonly device?: string;
}

/** Longer names than any server gives are hostile: nobody reads them. */
const MOST_CHARACTERS = 255;

export function short(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`;
}

/** As texts name a lane. */
export function nameOf({ user, device }: Owner): string {
  return device === undefined ? user : `${user}/${device}`;
}

export class Owners {
  readonly #byClient = new Map<string, Owner>();
  readonly #devices: readonly Owner[];

  constructor({ devices }: CallRecord, facts: readonly CallFact[]) {
    this.#devices = devices.map(({ user, device }) => ({
      user: short(user),
      device: short(device),
    }));
    for (const [at, { client }] of devices.entries()) {
      const owner = this.#devices[at];
      if (owner !== undefined) this.#byClient.set(client, owner);
    }
    // A client that the check did not name: who sent an event is told by those who are shown it.
    const senders = new Map<string, string>();
    for (const fact of facts)
      if (fact.kind === "seen" && fact.eventId !== undefined)
        senders.set(fact.eventId, fact.sender);
    for (const fact of facts) {
      if (fact.kind !== "sent" || fact.client === undefined || fact.eventId === undefined) continue;
      const sender = senders.get(fact.eventId);
      if (sender !== undefined && !this.#byClient.has(fact.client))
        this.#byClient.set(fact.client, { user: short(sender) });
    }
  }

  /** Of a client as the trace names it; undefined: without a token. */
  ofClient(client: string | undefined): Owner | undefined {
    if (client === undefined) return undefined;
    return this.#byClient.get(client) ?? { user: `client ${client.slice(0, 8)}` };
  }

  /** Of who did it; of a request without a token the user that it names. */
  ofFact(fact: CallFact): Owner | undefined {
    if (fact.client !== undefined || fact.kind !== "token") return this.ofClient(fact.client);
    const { user, device } = fact;
    if (user === undefined) return undefined;
    return this.ofEvent(user, { content: { device }, stateKey: undefined });
  }

  /** Of a sender's devices the one that the event names, or the only one. */
  ofEvent(sender: string, { content, stateKey }: Pick<EventFacts, "content" | "stateKey">): Owner {
    const own = this.#devices.filter(({ user }) => user === sender);
    if (own.length < 2) return own[0] ?? { user: short(sender) };
    const said = `${JSON.stringify(content)} ${stateKey ?? ""}`;
    return (
      own.find(({ device = "" }) => said.includes(device)) ?? own[0] ?? { user: short(sender) }
    );
  }

  /** Of a note: `@user:server` or `@user:server/DEVICE`. */
  ofNote(who: string): Owner {
    const [user = "", device] = /^(.*?)(?:\/([^/]*))?$/s.exec(who)?.slice(1) ?? [];
    if (device !== undefined) return { user: short(user), device: short(device) };
    return this.ofEvent(user, { content: {}, stateKey: undefined });
  }
}
