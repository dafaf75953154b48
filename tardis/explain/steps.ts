/** A trace of state resolution as steps, each of sentences that name users, events and rules. */
import type { EventGraph } from "#protocol/state/event-graph";
import type { ResolutionStep } from "#protocol/state/trace";
import type { Sentence, StepWriter } from "./explanation.ts";
import { keyWords, type Wording } from "./wording.ts";

type Of<Kind extends ResolutionStep["kind"]> = Extract<ResolutionStep, { kind: Kind }>;

export class StepTeller {
  readonly #words: Wording;
  readonly #graph: EventGraph;
  readonly #writer: StepWriter;
  readonly #trace: readonly ResolutionStep[];

  constructor(
    words: Wording,
    graph: EventGraph,
    writer: StepWriter,
    trace: readonly ResolutionStep[],
  ) {
    this.#words = words;
    this.#graph = graph;
    this.#writer = writer;
    this.#trace = trace;
  }

  /** All of them, in the order of the algorithm. */
  tell(): void {
    const { version } = this.#graph;
    if (version.stateResolution === "v1") this.#tellV1();
    else this.#tellV2(version.stateResolution === "v2.1");
  }

  #tellV2(isSubgraphed: boolean): void {
    const writer = this.#writer;
    writer.step(
      "conflicts",
      "where the states differ",
      this.#all("conflict", (step) => this.#conflict(step)),
    );
    writer.step(
      "auth-difference",
      "auth difference",
      this.#all("auth-difference", ({ ids }) => [
        this.#say(
          ids.length === 0
            ? "Auth difference: every event that authorises a state authorises all of them"
            : `Auth difference: in the auth chains of some states and not of all are ${this.#words.events(ids)}`,
          ids,
        ),
      ]),
    );
    if (isSubgraphed) {
      writer.step(
        "subgraph",
        "conflicted state subgraph",
        this.#all("subgraph", (step) => this.#subgraph(step)),
      );
    }
    writer.step("full-conflicted-set", "full conflicted set", this.#fullSet());
    writer.step(
      "power-events",
      "power events",
      this.#all("power-events", ({ ids }) => [
        this.#say(
          ids.length === 0
            ? "Power events, which are decided first: none"
            : `Power events, which are decided first, with what they cite in the set: ${this.#words.events(ids)}`,
          ids,
        ),
      ]),
    );
    writer.step("power-order", "reverse topological power ordering", this.#picks());
    writer.step(
      "power-checks",
      "iterative auth checks of power events",
      this.#checks("power", isSubgraphed),
    );
    writer.step("mainline-order", "mainline ordering", [
      ...this.#all("mainline", (step) => this.#mainline(step)),
      ...this.#all("mainline-order", (step) => this.#mainlineOrder(step)),
    ]);
    writer.step(
      "ordinary-checks",
      "iterative auth checks of the rest",
      this.#checks("ordinary", isSubgraphed),
    );
    writer.step(
      "result",
      "unconflicted state over it",
      this.#all("restored", ({ id, over, key }) => [
        this.#say(
          `${sentenceOf(keyWords(key.type, key.stateKey))} was the same in all states: ${this.#words.event(id)} stays, ` +
            `although the checks had put ${this.#words.event(over)} there`,
          [id, over],
        ),
      ]),
    );
  }

  #tellV1(): void {
    this.#writer.step(
      "depth-order",
      "state resolution version 1, key by key",
      this.#trace.flatMap((step) => {
        if (step.kind === "depth-order")
          return step.ids.length === 0 ? [] : [this.#depthOrder(step)];
        return step.kind === "check" ? [this.#check(step, "v1")] : [];
      }),
    );
  }

  #all<Kind extends ResolutionStep["kind"]>(
    kind: Kind,
    tell: (step: Of<Kind>) => readonly Sentence[],
  ): readonly Sentence[] {
    return this.#trace.flatMap((step) => (step.kind === kind ? tell(step as Of<Kind>) : []));
  }

  #say(text: string, events: readonly string[]): Sentence {
    return this.#writer.sentence(`${text}.`, events);
  }

  #conflict({ key, candidates, isAbsentSomewhere }: Of<"conflict">): readonly Sentence[] {
    const absent = isAbsentSomewhere ? "; some state has none" : "";
    const what = sentenceOf(keyWords(key.type, key.stateKey));
    return [this.#say(`${what}: ${this.#words.events(candidates)}${absent}`, candidates)];
  }

  #subgraph({ additions }: Of<"subgraph">): readonly Sentence[] {
    if (additions.length === 0) {
      return [this.#say("Conflicted state subgraph: no event lies between conflicted ones", [])];
    }
    return additions.map(({ id, path }) =>
      this.#say(
        `Conflicted state subgraph: ${this.#words.event(id)} is decided again, since it lies on the way of citations ` +
          `${path.map((on) => this.#words.id(on)).join(" → ")}`,
        [id, ...path],
      ),
    );
  }

  #fullSet(): readonly Sentence[] {
    const ids = new Set(
      this.#trace.flatMap((step) => {
        if (step.kind === "conflict") return step.candidates;
        if (step.kind === "auth-difference") return step.ids;
        return step.kind === "subgraph" ? step.additions.map(({ id }) => id) : [];
      }),
    );
    if (ids.size === 0) return [];
    return [
      this.#say(`Full conflicted set, to be decided anew: ${this.#words.events([...ids])}`, [
        ...ids,
      ]),
    ];
  }

  #picks(): readonly Sentence[] {
    return this.#all("pick", ({ id, level, originServerTs, waiting, runnerUp, by }) => {
      const own = `${this.#words.event(id)} comes next`;
      const levelOf = this.#levelSource(id);
      const power = `its sender has ${levelText(level)}${levelOf}`;
      if (runnerUp === undefined)
        return [this.#say(`${own}, as the only one that can; ${power}`, [id])];
      const other = this.#words.event(runnerUp);
      const why = {
        level: `${power}, which is more than that of ${other}: more power goes first`,
        origin_server_ts:
          `${power}, as does that of ${other}, and its time ${originServerTs} is the earlier one: ` +
          "at equal power the earlier time goes first",
        event_id:
          `${power}, as does that of ${other}, its time ${originServerTs} is the same, and its event id is the smaller ` +
          "one: that goes first",
      }[by ?? "event_id"];
      const others = waiting.filter((other) => other !== runnerUp);
      const rest = others.length === 0 ? "" : `; so could have come ${this.#words.events(others)}`;
      return [this.#say(`${own}: ${why}${rest}`, [id, runnerUp, ...others])];
    });
  }

  /** Which power levels its sender's level was read from. */
  #levelSource(id: string): string {
    const graph = this.#graph;
    const node = graph.node(graph.indexOf(id) ?? -1);
    const cited = node.auth.findLast((index) => graph.node(index).key === graph.powerKey);
    if (cited === undefined) return "";
    return ` by ${this.#words.id(graph.node(cited).event.id)}`;
  }

  #checks(pass: "power" | "ordinary", isSubgraphed: boolean): readonly Sentence[] {
    const checks = this.#all("check", (step) =>
      step.pass === pass ? [this.#check(step, pass)] : [],
    );
    if (pass === "ordinary" || checks.length === 0) return checks;
    const begin = isSubgraphed
      ? "The checks begin with no state at all (v2.1)"
      : "The checks begin with the state that all agree on (v2)";
    return [this.#say(begin, []), ...checks];
  }

  #check({ id, used, rejection, replaces }: Of<"check">, pass: string): Sentence {
    const basis = used
      .filter(({ slot }) => slot !== "create")
      .map(({ slot, id: by, from }) => {
        const whence = pass === "v1" || from === "resolved" ? "as decided" : "which it cites";
        return `${SLOT_WORDS[slot]} ${this.#words.id(by)} ${whence}`;
      });
    const by = basis.length === 0 ? "" : ` (by ${basis.join(", ")})`;
    const events = [id, ...used.map((part) => part.id)];
    if (rejection !== undefined) {
      return this.#say(
        `${this.#words.event(id)} is refused by the rule ${rejection.rule}: ${rejection.why}${by}`,
        events,
      );
    }
    const over = replaces === undefined ? "" : `, and replaces ${this.#words.event(replaces)}`;
    return this.#say(`${this.#words.event(id)} is allowed by the rules${by}${over}`, events);
  }

  #mainline({ ids }: Of<"mainline">): readonly Sentence[] {
    return [
      this.#say(
        ids.length === 0
          ? "Mainline: no power levels are decided yet, so that time alone orders the rest"
          : `Mainline: the power levels that hold, and those before them: ${this.#words.events(ids)}`,
        ids,
      ),
    ];
  }

  #mainlineOrder({ events }: Of<"mainline-order">): readonly Sentence[] {
    return events.map(({ id, position, closest, originServerTs }, at) => {
      const place =
        closest === undefined
          ? "leads to no power levels of the mainline"
          : `leads to ${this.#words.event(closest)}, number ${position} of the mainline from the oldest`;
      return this.#say(
        `${at + 1}. ${this.#words.event(id)} ${place}; its time is ${originServerTs}`,
        [id],
      );
    });
  }

  #depthOrder({ key, ids }: Of<"depth-order">): Sentence {
    const listed = ids.map(
      (id) => `${this.#words.event(id)} at depth ${this.#words.get(id)?.depth ?? 0}`,
    );
    const how = V1_AUTH_TYPES.has(key.type)
      ? "the last one wins that each before it allows"
      : "the first one wins, from the deepest back, that is allowed";
    return this.#say(
      `${sentenceOf(keyWords(key.type, key.stateKey))}, by depth, then by SHA-1 of the event id: ${listed.join("; ")}; ${how}`,
      ids,
    );
  }
}

export const V1_AUTH_TYPES: ReadonlySet<string> = new Set([
  "m.room.power_levels",
  "m.room.join_rules",
  "m.room.member",
]);

const SLOT_WORDS: Readonly<Record<Of<"check">["used"][number]["slot"], string>> = {
  create: "creation",
  powerLevels: "power levels",
  joinRules: "join rules",
  sender: "membership",
  target: "membership of the other",
  authoriser: "membership of who vouches",
  thirdPartyInvite: "third-party invite",
};

export function levelText(level: number): string {
  return level === Number.POSITIVE_INFINITY ? "a creator's level" : `level ${level}`;
}

export function sentenceOf(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
