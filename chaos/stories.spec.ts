import { describe, expect, it } from "vitest";
import { judgeAll } from "#chaos/checkers/checkers";
import { type Ending, unmetExpectations } from "#chaos/events/expectations";
import type { JournalRecord } from "#chaos/journal/record";
import { tell } from "#chaos/oracle/oracle";
import { simulate } from "#chaos/simulation/simulate";
import type { Plan } from "#scenarios/plan";
import { netsplitStories, netsplitStory } from "#scenarios/stories/netsplits";

const VERSIONS = ["11", "12"];
const user = (plan: Plan) => (name: string) => `@${name}:${plan.users[name]}.test`;

function endOfOracle(plan: Plan, version: string, seed: number, room: string): Ending {
  const { rooms, events } = tell(plan, { seed, version });
  const told = rooms.get(room);
  const role = plan.users[plan.rooms[room]?.creator ?? ""] ?? "";
  if (told === undefined) throw new RangeError(`there is no room ${room}`);
  return {
    state: told.history.named(told.state(role)),
    first: told.first,
    user: user(plan),
    event: (id) => events.get(id),
  };
}

function endOfJournal(plan: Plan, records: readonly JournalRecord[], room: string): Ending {
  const cast = records.findLast((record) => record.t === "cast");
  const server = `${plan.users[plan.rooms[room]?.creator ?? ""]}.test`;
  const states = records.flatMap((record) =>
    record.t === "state" && record.room === cast?.rooms[room] && record.server === server
      ? [record]
      : [],
  );
  return {
    state: states.at(-1)?.state ?? {},
    first: states[0]?.state ?? {},
    user: user(plan),
    event: (id) =>
      records.flatMap((record) =>
        record.t === "step" && record.step === id && record.outcome === "ok"
          ? (record.events ?? [])
          : [],
      )[0],
  };
}

describe.each(netsplitStories())("the story %s", (id) => {
  const plan = netsplitStory(id);
  const rooms = Object.keys(plan.rooms);

  it.each(VERSIONS)("ends as expected when the oracle tells it, version %s", (version) => {
    for (let seed = 1; seed <= 20; seed++) {
      const unmet = rooms.flatMap((room) =>
        unmetExpectations(plan, room, version, endOfOracle(plan, version, seed, room)),
      );
      expect({ seed, unmet }).toEqual({ seed, unmet: [] });
    }
  });

  it.each(VERSIONS)("ends as expected on simulated servers, version %s", async (version) => {
    for (let seed = 1; seed <= 5; seed++) {
      const { records, epochs } = await simulate(plan, { seed, version });
      const unmet = rooms.flatMap((room) =>
        unmetExpectations(plan, room, version, endOfJournal(plan, records, room)),
      );
      const failed = judgeAll(records, epochs).filter(({ outcome }) => outcome === "fail");
      const refused = records.flatMap((record) =>
        record.t === "step" && record.outcome !== "ok" && record.op !== "nudge"
          ? [record.step]
          : [],
      );
      expect({ seed, unmet, failed, refused }).toEqual({
        seed,
        unmet: [],
        failed: [],
        refused: [],
      });
    }
  });
});

describe("a race for the topic", () => {
  const plan = netsplitStory("topic-race-by-id");

  it.each(VERSIONS)(
    "is won by the greater id when the times are the same, version %s",
    (version) => {
      const winners = new Set<string | undefined>();
      for (let seed = 1; seed <= 20; seed++) {
        const { state, event } = endOfOracle(plan, version, seed, "main");
        const [greater = ""] = [event("bobs"), event("charlies")].sort().reverse();
        expect(state["m.room.topic|"]).toBe(greater);
        winners.add(greater === event("bobs") ? "bob" : "charlie");
      }
      expect(winners.size).toBe(2);
    },
  );

  it.each(VERSIONS)(
    "is won by time, then id, on simulated servers, version %s",
    async (version) => {
      for (let seed = 1; seed <= 5; seed++) {
        const { records } = await simulate(plan, { seed, version });
        const { state, event } = endOfJournal(plan, records, "main");
        const order = records
          .flatMap((record) =>
            record.t === "pdu" && [event("bobs"), event("charlies")].includes(record.event_id)
              ? [{ id: record.event_id, ts: Number(record.pdu.origin_server_ts) }]
              : [],
          )
          .sort((a, b) => a.ts - b.ts || (a.id < b.id ? -1 : 1));
        expect(order).toHaveLength(2);
        expect(state["m.room.topic|"]).toBe(order.at(-1)?.id);
      }
    },
  );
});
