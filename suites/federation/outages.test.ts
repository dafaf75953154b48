/** One server under test while another one, a peer, can not be reached or answers nonsense. */
import { awakeMs } from "#harness/awake";
import { path } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import { html, truncated } from "#harness/peer/lies";
import { meet, message, SEND } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import type { Handler } from "#harness/peer/routes";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersRequest, claims } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { domainOf } from "#protocol/auth/auth-event";

const SEND_ROUTE = "PUT /_matrix/federation/v1/send/{txnId}";
const CLIENT_SEND = "/_matrix/client/v3/rooms/*/send/**";
const SLOW_MS = 2_000;
const FORKS = 50;

/** A server that tells the peer nothing which contains the text. */
function forgets(contains: string): Mutant {
  return claims(
    `forgets to send ${contains}`,
    { from: "hs1", to: "peer-*", path: SEND, contains },
    { pdus: {} },
  );
}

function hostOf(peer: Peer): string {
  return peer.serverName.replace(/:\d+$/, "");
}

/** Waits until the server has sent something to the peer in vain. */
async function untilTried(world: World, fault: { fired: () => Promise<number> }): Promise<void> {
  await world.eventually(async () => {
    const fired = await fault.fired();
    expectThat(fired > 0, "an attempt to reach the other server", `${fired}`);
  });
}

check(
  "FED.chaos.local-write-in-split",
  "the server takes what its users write while no other server of the room can be reached",
  {
    mutant: {
      name: "waits for the others in vain",
      rules: [
        {
          match: { method: "PUT", path: CLIENT_SEND },
          phase: "before",
          action: { kind: "answer", status: 504, text: "<html>Gateway Timeout</html>" },
        },
      ],
    },
  },
  async (world) => {
    for (const kind of ["reset", "gate"] as const) {
      const { alice, peer, room } = await meet(world);
      const [to, phase] = [hostOf(peer), "before"] as const;
      const cut = await world.fault({ from: "hs1", to }, phase, { kind });
      const target = path`/_matrix/client/v3/rooms/${room.roomId}`;
      const write = (text: string) =>
        alice.put(`${target}/send/m.room.message/${world.name("txn")}`, {
          msgtype: "m.text",
          body: text,
        });

      const started = awakeMs();
      const responses = [await write("first")];
      await untilTried(world, cut);
      const waited = awakeMs() - started;
      responses.push(
        await write("second"),
        await alice.put(`${target}/state/m.room.topic/`, { topic: "split" }),
        await alice.get(`${target}/state/m.room.topic/`),
      );
      const tookMs = Math.round(awakeMs() - started - waited);
      await cut[Symbol.asyncDispose]();

      for (const response of responses) expectStatus(response, 200);
      expectEqual(at(responses.at(-1)?.json, "topic"), "split", "the topic");
      if (tookMs > SLOW_MS) world.note(`three requests took ${tookMs} ms in a split (${kind})`);
    }
  },
);

check(
  "FED.chaos.no-relay",
  "the server does not pass on what another server has sent it",
  {
    mutant: altersRequest(
      "sends in the name of another server",
      { from: "hs1", to: "peer-*", path: SEND, contains: "m.room.message" },
      { set: { "/pdus/-1/sender": "@relayed:elsewhere.example" } },
    ),
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const third = await world.peer();
    const carol = third.user("carol");
    await third.join(room.roomId, carol, { via: alice.server.serverName });
    // The first peer is cut off from the third one: it sends to the server alone.
    const pdu = room.build(message(mallory, "not to be passed on"));
    room.add(pdu);
    ok(await peer.client().send([pdu]));
    await peer.fence(room, alice);

    const last = world.name("last");
    await alice.send(room.roomId, last);
    await third.waitForRequest(SEND_ROUTE, ({ json }) => JSON.stringify(json).includes(last));

    const senders = third.requests.items
      .filter(({ uri }) => uri.startsWith("/_matrix/federation/v1/send/"))
      .flatMap(({ json }) => listAt(json, "pdus").map((event) => String(at(event, "sender"))));
    const foreign = senders.filter((sender) => domainOf(sender) !== alice.server.serverName);
    expectEqual(foreign, [], "senders of other servers in its transactions");
  },
);

check(
  "FED.chaos.backoff-cleared",
  "the server sends its queue as soon as it hears of a server that it had given up",
  { mutant: forgets("queued") },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const cut = await world.fault({ from: "hs1", to: hostOf(peer) }, "before", { kind: "reset" });
    const ids = [
      await alice.send(room.roomId, "queued 1"),
      await alice.send(room.roomId, "queued 2"),
    ];
    await untilTried(world, cut);
    await cut[Symbol.asyncDispose]();

    await peer.send(room, message(mallory, "back again"));

    await peer.waitForPdu(room, "the last of the queue", ({ id }) => id === ids[1], {
      deadlineMs: 5_000,
    });
  },
);

check(
  "FED.chaos.bad-answers",
  "the server takes a page, half an answer and silence for failures, and tries again",
  { mutant: forgets("in spite of") },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const silent: Handler = async (_, { next }) => {
      await world.quietPeriod(7_000);
      return await next();
    };
    const lies: Readonly<Record<string, Handler>> = {
      "a page with status 502": html(502),
      "a page with status 200": html(200),
      "half an answer": truncated(),
      silence: silent,
    };

    for (const [name, lie] of Object.entries(lies)) {
      let told = 0;
      const lying = peer.on(SEND_ROUTE, (request, context) => {
        if (!JSON.stringify(request.json).includes("in spite of")) return context.next();
        told++;
        return lie(request, context);
      });
      const id = await alice.send(room.roomId, `in spite of ${name}`);
      await world.eventually(() => expectThat(told > 0, `a transaction answered by ${name}`, told));
      lying[Symbol.dispose]();
      const before = peer.requests.items.length;
      await peer.send(room, message(mallory, "still here"));
      await alice.send(room.roomId, "go on");

      await world.eventually(() => {
        const again = peer.requests.items
          .slice(before)
          .some(({ json }) => JSON.stringify(json ?? {}).includes(`in spite of ${name}`));
        expectThat(again, `the message again after ${name}`, "not again");
      });
      const event = await alice.event(room.roomId, id);
      expectEqual(event.content.body, `in spite of ${name}`, "the message where it came from");
    }
  },
);

check(
  "FED.chaos.extremities-bounded",
  "the server does not let loose ends pile up",
  {
    mutant: claims(
      "sends nothing that would tie them up",
      { method: "PUT", path: CLIENT_SEND },
      { event_id: "$nothing" },
    ),
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const start = room.extremities;

    for (let fork = 0; fork < FORKS; fork++) {
      const pdu = room.build({ ...message(mallory, `fork ${fork}`), prevEvents: start });
      room.add(pdu);
      ok(await peer.client().send([pdu]));
      const id = await alice.send(room.roomId, `after ${fork}`);
      await peer.waitForPdu(room, "the message after a fork", (received) => received.id === id);
    }

    const { length } = room.extremities;
    expectThat(length <= 10, `at most 10 loose ends after ${FORKS} forks`, `${length}`);
  },
);
