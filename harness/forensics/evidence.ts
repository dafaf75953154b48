/** All that traces and client logs tell, with the questions that the steps ask of it. */
import type { Entry } from "#harness/clients/crypto/client-log";
import type { Exchange } from "#harness/gateway/exchange";
import type { Fact, Moment, SyncAnswer, ToDevicePut } from "./facts.ts";
import { factsIn } from "./reader.ts";

type Kind = Fact["kind"];
type Of<K extends Kind> = Extract<Fact, { readonly kind: K }>;
type Told<T extends Entry["t"]> = Extract<Entry, { readonly t: T }>;

export interface DeviceName {
  readonly user: string;
  readonly device: string;
}

/** A rule of the gateway that acted. */
export interface Firing {
  readonly rule: string;
  readonly exchange: string;
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly client: string | undefined;
}

export class Evidence {
  readonly facts: readonly Fact[];
  readonly firings: readonly Firing[];
  readonly #byKind: ReadonlyMap<Kind, readonly Fact[]>;
  readonly #logs: ReadonlyMap<string, readonly Entry[]>;
  readonly #owners = new Map<string, DeviceName>();

  private constructor(
    facts: readonly Fact[],
    firings: readonly Firing[],
    entries: readonly Entry[],
  ) {
    this.facts = facts;
    this.firings = firings;
    this.#byKind = Map.groupBy(facts, ({ kind }) => kind);
    const inOrder = [...entries].sort((a, b) => a.at - b.at || a.seq - b.seq);
    this.#logs = Map.groupBy(inOrder, keyOf);
    for (const { t, user, device, ...entry } of inOrder) {
      if (t === "start" && "token" in entry && entry.token !== undefined)
        this.#owners.set(entry.token.slice(0, 16), { user, device });
    }
    for (const { token, user, device } of this.all("login"))
      if (token !== undefined) this.#owners.set(token, { user, device });
    for (const { client, device } of this.all("upload"))
      if (client !== undefined && device !== undefined && !this.#owners.has(client))
        this.#owners.set(client, { user: device.user, device: device.device });
  }

  /** @param exchanges in any order @param onRead called with how many have been read so far */
  static async gather(
    exchanges: AsyncIterable<Exchange> | Iterable<Exchange>,
    entries: readonly Entry[] = [],
    onRead: (count: number) => void = () => undefined,
  ): Promise<Evidence> {
    const facts: Fact[] = [];
    const firings: Firing[] = [];
    let n = 0;
    for await (const exchange of exchanges) {
      onRead(++n);
      facts.push(...factsIn(exchange, n));
      const { id, at, from, to, client, rules = [] } = exchange;
      for (const rule of rules) firings.push({ rule, exchange: id, at, from, to, client });
    }
    const byTime = (a: { at: number }, b: { at: number }) => a.at - b.at;
    return new Evidence(facts.sort(byTime), firings.sort(byTime), entries);
  }

  /** In order of arrival. */
  all<K extends Kind>(kind: K): readonly Of<K>[] {
    return (this.#byKind.get(kind) ?? []) as unknown as readonly Of<K>[];
  }

  /** Made with this device's access tokens. */
  by<K extends Kind>(who: DeviceName, kind: K): readonly Of<K>[] {
    return this.all(kind).filter((fact) => isSame(this.owner(fact), who));
  }

  owner({ client }: Pick<Moment, "client">): DeviceName | undefined {
    return client === undefined ? undefined : this.#owners.get(client);
  }

  /** What its client told of itself; undefined: it kept no log. */
  log(who: DeviceName): readonly Entry[] | undefined {
    return this.#logs.get(keyOf(who));
  }

  told<T extends Entry["t"]>(who: DeviceName, t: T): readonly Told<T>[] {
    return (this.log(who) ?? []).filter((entry): entry is Told<T> => entry.t === t);
  }

  /** Devices that kept logs. */
  get logged(): readonly DeviceName[] {
    return [...this.#logs.values()].flatMap(([first]) =>
      first === undefined ? [] : [{ user: first.user, device: first.device }],
    );
  }

  /** Requests that had this parcel for somebody. */
  puts(parcel: string): readonly ToDevicePut[] {
    return this.all("to-device").filter(({ sent }) =>
      sent.some(({ parcels }) => parcels.includes(parcel)),
    );
  }

  /** Answers in which it came, or would have come. */
  syncsWith(parcel: string): readonly SyncAnswer[] {
    return this.all("sync").filter(
      ({ parcels, said }) =>
        parcels.some(({ id }) => id === parcel) || said.parcels.includes(parcel),
    );
  }
}

export function isSame(a: DeviceName | undefined, b: DeviceName): boolean {
  return a?.user === b.user && a.device === b.device;
}

export function keyOf({ user, device }: DeviceName): string {
  return `${user}|${device}`;
}

export function domainOf(user: string): string {
  return user.slice(user.indexOf(":") + 1);
}
