/** Two real servers, one of which is killed or stopped. */
import type { Phase } from "#harness/gateway/rule";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { EVENT, SEND } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { converge, NUDGE, share, split } from "#harness/world/sharing";
import { history } from "./history.ts";

const MESSAGES = "/_matrix/client/v3/rooms/*/messages";
const NOT_FOUND = { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } };
const OWN_SERVERS = { isolated: {}, deadlineMs: 120_000 };
const BURST = 20;
const TRIES_AT_MOST = 20;
/** Longer than servers wait for an answer, with the settings of the driver. */
const STOP_MS = 8_000;

/** Ids of the messages in a room's timeline but for nudges, each as often as it is there. */
async function messageIds(session: Session, roomId: string): Promise<readonly string[]> {
  const events = await history(session, roomId);
  return events.flatMap(({ type, content, event_id }) =>
    type === "m.room.message" && content.body !== NUDGE ? event_id : [],
  );
}

check(
  "FED.chaos.kill-durability",
  "the server still has what it had acknowledged when it was killed",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer("loses what it had acknowledged", { path: EVENT }, NOT_FOUND),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    const acknowledged: string[] = [];
    const send = async (text: string) => {
      const target = path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`;
      const response = await alice.put(target, { msgtype: "m.text", body: text });
      const id = at(response.json, "event_id");
      if (response.status === 200 && typeof id === "string") acknowledged.push(id);
    };

    // Those that get no answer may be stored or not.
    const burst = Promise.allSettled(Array.from({ length: BURST }, (_, index) => send(`${index}`)));
    await world.eventually(() =>
      expectThat(acknowledged.length >= 3, "three acknowledged messages", acknowledged),
    );
    await world.actOnServer("hs1", "kill");
    await burst;
    await world.actOnServer("hs1", "restart");
    await converge(world, shared, acknowledged);

    const [here = [], there = []] = await Promise.all(
      [alice, bob].map((session) => messageIds(session, roomId)),
    );
    expectEqual(there.toSorted(), here.toSorted(), "the messages on the other server");
  },
);

check(
  "FED.chaos.kill-receiver",
  "the servers have the same events although one was killed whenever it was caught up",
  {
    ...OWN_SERVERS,
    mutant: [
      altersAnswer("loses what it was sent", { path: EVENT }, NOT_FOUND),
      altersAnswer(
        "shows a message twice",
        { path: MESSAGES },
        {
          set: {
            "/chunk/-": {
              type: "m.room.message",
              event_id: "$twice",
              sender: "@bob:other.example",
              origin_server_ts: 1,
              content: {},
            },
          },
        },
      ),
    ],
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    const between = await split(world);
    const ids = [await alice.send(roomId, "1"), await alice.send(roomId, "2")];
    await bob.send(roomId, "of the other");
    await between.untilTried();

    const phases: readonly Phase[] = ["before", "mid-request", "processed"];
    const match = { from: "hs1", to: "hs2", path: SEND };
    let isHealed = false;
    for (const phase of phases) {
      const death = await world.fault(match, phase, { kind: "kill" }, 1);
      if (!isHealed) await between.heal();
      isHealed = true;
      // Each message is an occasion: a server that waits before it tries again lets some go by.
      for (let tries = 0; (await death.fired()) === 0 && tries < TRIES_AT_MOST; tries++) {
        ids.push(await alice.send(roomId, `until it dies ${phase}`));
        await world.quietPeriod(500);
      }
      await world.actOnServer("hs2", "restart");
      await death.end();
    }
    await converge(world, shared, ids);

    const [sent = [], seen = []] = await Promise.all(
      [alice, bob].map((session) => messageIds(session, roomId)),
    );
    const each = [...new Set(sent)].sort();
    expectEqual(seen.toSorted(), each, "the messages on the server that was killed");
  },
);

check(
  "FED.chaos.pause",
  "the servers lose nothing while one is stopped",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer("takes what hung for delivered", { path: EVENT }, NOT_FOUND),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, roomId } = shared;
    const ids = [];

    await world.actOnServer("hs2", "pause");
    ids.push(await alice.send(roomId, "into the silence"));
    await world.quietPeriod(STOP_MS);
    ids.push(await alice.send(roomId, "once more"));
    await world.actOnServer("hs2", "resume");

    await converge(world, shared, ids);
  },
);
