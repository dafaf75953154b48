/** Delayed state that is written meanwhile, and accounts that end: MSC4140 §Conflicting delayed state events. */
import { confirm } from "#harness/clients/confirmation";
import { CheckFailure, Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { promote, type Shared, share } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import {
  delayedEvents,
  expectInTime,
  expectMarksOnceOvertaken,
  PATIENT,
  scene,
  state,
  TYPE,
  untilSent,
} from "./delayed.ts";
import { LOOK_UP, SYNC } from "./delayed-mutants.ts";

const WRITTEN = { method: "GET", path: `/_matrix/client/v3/rooms/*/state/${TYPE}/key` };

check(
  "MSC4140.state.own-write-keeps",
  "a user's own write leaves the delayed write of the same state as it is",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("drops it", LOOK_UP, {
        status: 404,
        body: { errcode: "M_NOT_FOUND", error: "" },
      }),
      altersAnswer("never sends it", SYNC, { replace: [["leave-", "lost-"]] }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const mark = world.name("leave");
    const dueMs = 5_000;
    const from = performance.now();
    const id = await delayed.scheduled(alice, roomId, state(mark, dueMs));

    await alice.setState(roomId, TYPE, { mark: "join" }, "key");

    const lookUp = await delayed.lookUp(alice, id);
    expectInTime(from, dueMs, "a write");
    ok(lookUp);
    await untilSent(alice, roomId, mark);
    expectEqual(await alice.state(roomId, TYPE, "key"), { mark }, "the state");
  },
);

/** The server may take a moment to see a conflict. */
async function isCancelledSoon(
  world: World,
  lookUp: () => Promise<HttpResponse>,
): Promise<boolean> {
  try {
    await world.eventually(
      async () => {
        const response = await lookUp();
        const isFinal = response.status === 404 || at(response.json, "finalised") !== undefined;
        expectEqual(isFinal, true, "whether it is cancelled", response);
      },
      { deadlineMs: 1_500 },
    );
    return true;
  } catch (error) {
    if (error instanceof CheckFailure) return false;
    throw error;
  }
}

/** Somebody else writes what a delayed event is to write. Whether that cancels it, and that it is then as the server says. */
async function overwrite(
  world: World,
  { alice, roomId }: Pick<Shared, "alice" | "roomId">,
  write: (content: { mark: string }) => Promise<unknown>,
  who: string,
): Promise<void> {
  const delayed = delayedEvents(world);
  const dueMs = 8_000;
  const from = performance.now();
  const mark = world.name("leave");
  const [own, others] = [{ mark }, { mark: world.name("others") }];
  const id = await delayed.scheduled(alice, roomId, state(mark, dueMs));
  await write(others);
  await untilSent(alice, roomId, others.mark);

  const isCancelled = await isCancelledSoon(world, () => delayed.lookUp(alice, id));
  expectInTime(from, dueMs, "a write by somebody else");
  world.note(`the write of ${who} ${isCancelled ? "cancels" : "leaves"} the delayed event`);
  const marks = isCancelled ? [others.mark] : [others.mark, mark];
  await expectMarksOnceOvertaken(world, { delayed, alice, roomId }, dueMs, marks);
  const content = isCancelled ? others : own;
  expectEqual(await alice.state(roomId, TYPE, "key"), content, "the state in the end");
}

check(
  "MSC4140.state.other-write-cancels",
  "another user's write cancels a delayed write or leaves it, and the server says which",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("keeps what it calls cancelled", WRITTEN, { set: { "/mark": "leave" } }),
      altersAnswer("says that it is scheduled", LOOK_UP, { status: 200, body: {} }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const bob = await world.user("bob");
    const roomId = await alice.createRoom({
      preset: "public_chat",
      power_level_content_override: { events: { [TYPE]: 0 } },
    });
    await bob.join(roomId);

    await overwrite(
      world,
      { alice, roomId },
      (content) => bob.setState(roomId, TYPE, content, "key"),
      "another user",
    );
  },
);

check(
  "MSC4140.state.other-write-cancels",
  "a write from another server cancels a delayed write or leaves it, and the server says which",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("keeps what it calls cancelled", WRITTEN, { set: { "/mark": "leave" } }),
      altersAnswer("says that it is scheduled", LOOK_UP, { status: 200, body: {} }),
    ],
  },
  async (world) => {
    const shared = await share(world);
    await promote(shared, 50);
    const { bob, roomId } = shared;

    await overwrite(
      world,
      shared,
      (content) => bob.setState(roomId, TYPE, content, "key"),
      "a user of another server",
    );
  },
);

const DEACTIVATE = { method: "POST", path: "/_matrix/client/v3/account/deactivate" };

check(
  "MSC4140.account.deactivate",
  "the server sends nothing of a deactivated account",
  {
    ...PATIENT,
    mutant: [
      claims(
        "deactivates nobody",
        { ...DEACTIVATE, contains: '"auth"' },
        {
          id_server_unbind_result: "success",
        },
      ),
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, roomId } = here;
    const bob = await world.user("bob");
    await bob.join(roomId);
    const dueMs = 6_000;
    const from = performance.now();
    await delayed.scheduled(bob, roomId, { type: TYPE, content: { mark: "gone" }, delayMs: dueMs });

    await deactivate(bob);
    expectInTime(from, dueMs, "the deactivation");

    await expectMarksOnceOvertaken(world, here, dueMs, []);
  },
);

/** With the password, in the session that the server opens for it. */
async function deactivate(user: Session): Promise<void> {
  const first = await user.post(DEACTIVATE.path);
  if (first.status === 404) throw new Unsupported("legacy-auth", "accounts are in other hands");
  ok(await user.post(DEACTIVATE.path, { auth: await confirm(user, first) }));
}
