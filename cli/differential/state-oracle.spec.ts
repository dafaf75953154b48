/** The checker of chaos that holds servers to our resolver: it passes what Synapse's own code says, and nothing else. */
import { expect, test } from "vitest";
import { judgeAll } from "#chaos/checkers/checkers";
import type { JournalBody, JournalRecord } from "#chaos/journal/record";
import { createRandom } from "#harness/random";
import { type CompiledDag, compileDag } from "#protocol/dag/dag-file";
import { generateDag } from "#protocol/dag/generate";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import { useSynapseJudge } from "./synapse-for-specs.ts";

const MERGES = 330;
const VERSIONS = [...ROOM_VERSIONS.values()].filter(({ id }) => id !== "1");

const judgeFor = useSynapseJudge();

test("the checker passes what Synapse makes of generated merges, and finds a server that takes another side", async (context) => {
  const judge = judgeFor(context);
  let merges = 0;
  let contested = 0;
  let reported = 0;
  for (let number = 0; merges < MERGES; number++) {
    const version = VERSIONS[number % VERSIONS.length];
    if (version === undefined) break;
    const random = createRandom(`state-oracle/${number}`);
    const dag = compileDag(generateDag(random.next, version, "forks"), version);
    const room = new Merge(dag, version);
    if (room.ends === undefined) continue;
    const told = await judge.ask(dag, version);
    if (!("answer" in told)) return expect.unreachable(told.trouble);
    merges++;
    const resolved = room.named(told.answer.state);

    const place = `merge ${number}, version ${version.id}`;
    expect([place, room.verdictOn(resolved)]).toEqual([place, "right"]);
    for (const set of dag.stateSets.map((ids) => room.named(ids))) {
      const isSame = JSON.stringify(set) === JSON.stringify(resolved);
      if (!isSame) contested++;
      const verdict = room.verdictOn(set);
      // Of what the text of version 12 leaves open another outcome is no violation.
      if (version.id === "12" && verdict === "reported") reported++;
      else expect([place, verdict]).toEqual([place, isSame ? "right" : "fail"]);
    }
  }
  expect(merges).toBe(MERGES);
  expect(contested).toBeGreaterThan(MERGES);
  expect(reported).toBeLessThan(contested / 20);
});

class Merge {
  /** An event after which each of the states stood; undefined: one stood after none. */
  readonly ends: readonly string[] | undefined;
  readonly #bodies: readonly JournalBody[];
  readonly #roomId: string;
  readonly #events: ReadonlyMap<string, RoomEvent>;

  constructor({ events, stateSets }: CompiledDag, version: RoomVersion) {
    this.#events = new Map(events.map((event) => [event.id, event]));
    this.#roomId = events[0]?.roomId ?? "";
    const history = new RoomHistory(events, version);
    const ends = stateSets.map((ids) => {
      const set = JSON.stringify(this.named(ids));
      const at = history.events.findLast(
        ({ after }) => JSON.stringify(history.named(after)) === set,
      );
      return at?.event.id;
    });
    this.ends = ends.every((id) => id !== undefined) ? ends : undefined;
    const versions = { [this.#roomId]: version.id };
    this.#bodies = [
      { t: "cast", servers: {}, users: {}, rooms: { room: this.#roomId }, versions },
      ...events.map((event) => ({
        t: "pdu" as const,
        event_id: event.id,
        pdu: pduOf(event, version),
      })),
    ];
  }

  /** By `type|state_key`, sorted. */
  named(ids: readonly string[]): Readonly<Record<string, string>> {
    const entries = ids.map((id) => {
      const { type, stateKey } = this.#events.get(id) ?? {};
      return [`${type}|${stateKey}`, id] as const;
    });
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  verdictOn(state: Readonly<Record<string, string>>): string | undefined {
    const shown: JournalBody = {
      t: "state",
      room: this.#roomId,
      server: "hs1.test",
      moment: "quiescent",
      source: "client",
      state,
      extremities: this.ends ?? [],
    };
    const records: readonly JournalRecord[] = [...this.#bodies, shown].map((body, at) => ({
      seq: at + 1,
      at,
      ...body,
    }));
    const [verdict] = judgeAll(records, 1, ["state-oracle"]);
    return verdict?.looked === 1 ? (verdict.findings[0]?.outcome ?? "right") : undefined;
  }
}

function pduOf(event: RoomEvent, version: RoomVersion): JsonObject {
  const { type, stateKey, sender, roomId, content, authEvents, prevEvents, redacts } = event;
  const isRoot = version.isRoomIdHash && type === "m.room.create";
  return {
    type,
    sender,
    content,
    ...(isRoot ? {} : { room_id: roomId }),
    ...(stateKey === undefined ? {} : { state_key: stateKey }),
    ...(redacts === undefined ? {} : { redacts }),
    auth_events: authEvents,
    prev_events: prevEvents,
    origin_server_ts: event.originServerTs,
    depth: event.depth,
  };
}
