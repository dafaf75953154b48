/** Records of a replay other than events, read into what a run holds; docs/replay-format.md says what they are. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import type { Problem } from "./problem.ts";
import type { Arrival, Fault, NumberedRecord, Run, Server, Snapshot, Step } from "./run.ts";
import { checkerStep } from "./verdict.ts";

/** Verdict where a server has not got an event, whatever it answered to who sent it. */
export const ABSENT = "absent";

type Complaint = Pick<Problem, "field" | "what">;

export class Recording {
  meta: JsonObject = {};
  readonly #rows: ReadonlyMap<string, number>;
  readonly #servers = new Map<string, { -readonly [Key in keyof Server]: Server[Key] }>();
  readonly #numbers = new Map<string, number>();
  readonly #arrivals: Arrival[] = [];
  readonly #faults: Fault[] = [];
  readonly #steps: Step[] = [];
  readonly #snapshots: Snapshot[] = [];

  /** @param rows of the run, by event id */
  constructor(rows: ReadonlyMap<string, number>) {
    this.#rows = rows;
  }

  /** Returns what is wrong with a record, which then counts for nothing. */
  read({ body, seq, at }: NumberedRecord): Complaint | undefined {
    switch (body.t) {
      case "meta":
        this.meta = { ...body, ...this.meta };
        return undefined;
      case "server":
        return this.#server(body);
      case "arrive":
        return this.#arrive(body, seq, at);
      case "fault":
        this.#faults.push({
          seq,
          at,
          id: textOr(body.id, undefined),
          kind: textOr(body.kind, "custom"),
          links: pairsOf(body.links),
          servers: textsOf(body.servers),
          name: textOr(body.name, undefined),
        });
        return undefined;
      case "step":
        this.#steps.push({
          seq,
          at,
          name: textOr(body.name, ""),
          isOk: typeof body.ok === "boolean" ? body.ok : null,
          message: textOr(body.message, undefined),
          events: textsOf(body.events),
          rooms: textsOf([body.room ?? null]),
          isVerdict: false,
          epoch: undefined,
        });
        return undefined;
      case "event":
        // Of a journal: a user asked for it, and his server does not have it, or does not show it.
        if (body.status === 404) this.#absent(body, seq, at);
        return undefined;
      case "verdict":
        this.#verdict(body, seq, at);
        return undefined;
      case "state":
        return this.#state(body, seq, at);
      default:
        return undefined;
    }
  }

  parts(): Pick<Run, "meta" | "servers" | "arrivals" | "faults" | "steps" | "snapshots"> {
    return {
      meta: this.meta,
      servers: [...this.#servers.values()],
      arrivals: this.#arrivals,
      faults: this.#faults,
      steps: this.#steps,
      snapshots: this.#snapshots,
    };
  }

  #server(body: JsonObject): Complaint | undefined {
    if (typeof body.name !== "string") return { field: "name", what: "no text" };
    this.#numberOf(body.name);
    const server = this.#servers.get(body.name);
    if (server === undefined) return undefined;
    server.implementation = textOr(body.implementation, server.implementation);
    server.version = textOr(body.version, server.version);
    if (isObject(body.keys)) server.keys = new Map([...server.keys, ...textEntries(body.keys)]);
    return undefined;
  }

  #arrive(body: JsonObject, seq: number, at: number): Complaint | undefined {
    const { server, event_id: eventId } = body;
    if (typeof server !== "string") return { field: "server", what: "no text" };
    if (typeof eventId !== "string") return { field: "event_id", what: "no text" };
    this.#arrivals.push({
      seq,
      at,
      server: this.#numberOf(server),
      row: this.#rows.get(eventId),
      eventId,
      via: textOr(body.via, "unknown"),
      from: textOr(body.from, undefined),
      verdict: textOr(body.verdict, "unknown"),
      isDeduced: body.deduced === true,
      reason: textOr(body.reason, undefined),
    });
    return undefined;
  }

  /** What it answered to who sent the event was not what it made of it, as far as that was not known. */
  #absent(body: JsonObject, seq: number, at: number): void {
    const { event_id: eventId } = body;
    const server = this.#numbers.get(String(body.server));
    for (const [place, arrival] of this.#arrivals.entries()) {
      if (arrival.server !== server || arrival.eventId !== eventId) continue;
      if (arrival.verdict === "unknown") this.#arrivals[place] = { ...arrival, verdict: ABSENT };
    }
    this.#arrive({ ...body, via: "asked", verdict: ABSENT }, seq, at);
  }

  #state(body: JsonObject, seq: number, at: number): Complaint | undefined {
    const { server, state } = body;
    if (typeof server !== "string") return { field: "server", what: "no text" };
    if (!isObject(state)) return { field: "state", what: "no object" };
    this.#snapshots.push({
      seq,
      at,
      server: this.#numberOf(server),
      room: textOr(body.room, undefined),
      atEvent: textOr(body.at_event, undefined),
      source: textOr(body.source, "unknown"),
      moment: textOr(body.moment, undefined),
      state: new Map(textEntries(state)),
      extremities: textsOf(body.extremities),
    });
    return undefined;
  }

  #verdict(body: JsonObject, seq: number, at: number): void {
    const step = checkerStep(body);
    if (step === undefined) return;
    const epoch = typeof body.epoch === "number" ? body.epoch : undefined;
    this.#steps.push({ seq, at, ...step, isVerdict: true, epoch });
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(name, number);
    const unknown = { implementation: undefined, version: undefined, keys: new Map() };
    this.#servers.set(name, { name, ...unknown });
    return number;
  }
}

function textOr<Other>(value: JsonValue | undefined, other: Other): string | Other {
  return typeof value === "string" ? value : other;
}

function textEntries(object: JsonObject): readonly [string, string][] {
  return Object.entries(object).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value)
    ? value.filter((item): item is string => typeof item === "string")
    : [];
}

function pairsOf(value: JsonValue | undefined): readonly (readonly [string, string])[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((pair) => {
    const [from, to] = textsOf(pair);
    return from === undefined || to === undefined ? [] : [[from, to] as const];
  });
}
