/** To-device messages where a device uses sliding sync (MSC3885, MSC4538), or both syncs in turn. */
import { UNSTABLE_PATH } from "#harness/clients/sliding-sync/dialect";
import type { HttpResponse } from "#harness/http/client";
import { at, eventsAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { collect, NOTE, post, SYNC, textsIn } from "./mail.ts";

const SLIDING = { method: "POST", path: UNSTABLE_PATH };
const EVENTS = "/extensions/to_device/events";

interface Page {
  readonly texts: readonly unknown[];
  readonly next: string;
}

/** A request on a connection that begins, with nothing but messages in it. */
function ask(session: Session, connection: string, since?: string): Promise<HttpResponse> {
  const extension = { enabled: true, ...(since === undefined ? {} : { since }) };
  const body = { conn_id: connection, lists: {}, extensions: { to_device: extension } };
  return session.post(UNSTABLE_PATH, body, { timeout: 0 });
}

async function slide(session: Session, connection: string, since?: string): Promise<Page> {
  const body = ok(await ask(session, connection, since));
  const events = eventsAt(body, "extensions", "to_device", "events");
  return {
    texts: events.filter(({ type }) => type === NOTE).map(({ content }) => at(content, "text")),
    next: textAt(body, "extensions", "to_device", "next_batch"),
  };
}

check(
  "E2EE.todevice.sliding-since",
  "the server takes the to-device token of any connection for an acknowledgement, and nothing else",
  {
    mutant: [
      altersAnswer(
        "forgets messages with the connection",
        { ...SLIDING, contains: '"conn_id":"f"' },
        { set: { [EVENTS]: [] } },
      ),
      altersAnswer(
        "keeps what was acknowledged",
        { ...SLIDING, contains: '"conn_id":"g"' },
        { set: { [EVENTS]: [{ type: NOTE, sender: "@bob:hs1", content: { text: "1" } }] } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const { next: start } = await slide(alice, "e");
    await post(bob, alice, ["1", "2", "3"]);

    const first = await slide(alice, "e", start);
    const other = await slide(alice, "f", start);
    await slide(alice, "e", first.next);
    const acknowledged = [await slide(alice, "g", start), await slide(alice, "g")];

    for (const { texts } of [first, other]) expectEqual(texts, ["1", "2", "3"], "the messages");
    for (const { texts } of acknowledged) {
      expectEqual(texts, [], "messages after they were acknowledged");
    }
  },
);

check(
  "E2EE.todevice.sliding-since",
  "the server refuses a to-device token that it can not have given",
  {
    mutant: altersAnswer(
      "takes any token",
      { ...SLIDING, status: 400 },
      { status: 200, body: { pos: "1" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await ask(alice, "e", "no token of yours");

    expectMatrixError(response, 400, "M_INVALID_PARAM");
  },
);

check(
  "E2EE.todevice.sliding-v2-mix",
  "the server has one queue for a device that changes from one sync to the other and back",
  {
    mutant: [
      altersAnswer("repeats what the other sync has acknowledged", SLIDING, {
        set: { [`${EVENTS}/-`]: { type: NOTE, sender: "@bob:hs1", content: { text: "2" } } },
      }),
      altersAnswer(
        "loses what came between",
        { ...SYNC, contains: "since=" },
        { remove: ["/to_device/events/0"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await alice.syncToken();
    await post(bob, alice, ["1", "2"]);

    const first = await collect(alice, since, "2");
    const empty = await alice.sync({ since: first.since });
    await post(bob, alice, ["3", "4"]);
    const sliding = await slide(alice, "e");
    const after = await slide(alice, "e", sliding.next);
    await post(bob, alice, ["5"]);
    const back = await collect(alice, empty.next_batch, "5");

    const seen = [first.texts, textsIn(empty), sliding.texts, after.texts, back.texts];
    expectEqual(seen, [["1", "2"], [], ["3", "4"], [], ["5"]], "the messages of each step");
  },
);
