/** Whose leave the homeserver takes over: MSC4195 §Optional delegated delayed leave events. */
import { connectToSfu, type SfuConnection } from "#harness/clients/rtc/sfu-connection";
import { check } from "#harness/world/check";
import { expectMatrixError, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  expectMarksOnceOvertaken,
  FAR_MS,
  message,
  type Scene,
  scene,
  untilSent,
} from "./delayed.ts";
import { expectSentOnceLost, NOTICED_MS, SLOW } from "./leaves.ts";
import { livekitPath, requestToken, serviceThat, sfuUrlOf, tokenOf } from "./tokens.ts";
import { expectUsersOnly } from "./users-only.ts";

const DELEGATE = { method: "POST", path: "/_matrix/client/**/rtc/livekit/delegate_delayed_leave" };

check(
  "MSC4195.delegate.auth",
  "the server takes over leaves of its users only",
  {
    mutant: [
      altersAnswer(
        "takes them from anybody",
        { ...DELEGATE, status: 401 },
        { status: 200, body: {} },
      ),
      altersAnswer(
        "calls it another error",
        { ...DELEGATE, status: 401 },
        { set: { "/errcode": "M_FORBIDDEN" } },
      ),
      altersAnswer("has no such endpoint", DELEGATE, {
        status: 404,
        body: { errcode: "M_UNRECOGNIZED", error: "there is no such endpoint" },
      }),
    ],
  },
  async (world) => {
    const { roomId } = await scene(world);
    const body = { room_id: roomId, slot_id: "m.call#taken", member_id: "m", delay_id: "d" };
    const target = livekitPath(world, "delegate_delayed_leave");

    await expectUsersOnly(world, (client) => client.post(target, body));
  },
);

check(
  "MSC4195.delegate.wrong-event",
  "the service takes over delayed events of the user and the room only",
  {
    mutant: [
      serviceThat("does not look whose they are", "skip-delay-check", "m.call#theirs"),
      altersAnswer(
        "calls it not found",
        { ...DELEGATE, status: 400 },
        { status: 404, set: { "/errcode": "M_NOT_FOUND" } },
      ),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const other = await alice.createRoom();
    const [own, elsewhere, bobs] = await Promise.all([
      delayed.scheduled(alice, roomId, message(world.name("own"), FAR_MS)),
      delayed.scheduled(alice, other, message(world.name("elsewhere"), FAR_MS)),
      delayed.scheduled(bob, roomId, message(world.name("bobs"), FAR_MS)),
    ]);
    const member_id = world.name("member");
    const body = { room_id: roomId, slot_id: "m.call#theirs", member_id };
    const delegate = (changes: object) =>
      alice.post(livekitPath(world, "delegate_delayed_leave"), { ...body, ...changes });
    // Some revisions of the text ask for it.
    const url = await sfuUrlOf(world, alice);

    const refused = [
      await delegate({ delay_id: world.name("invented"), url }),
      await delegate({ delay_id: elsewhere, url }),
      await delegate({ delay_id: bobs, url }),
    ];
    const taken = await delegate({ delay_id: own, url });

    for (const response of refused) expectMatrixError(response, 400, "M_INVALID_PARAM");
    ok(taken);
    expectStatus(await delayed.lookUp(bob, bobs), 200);
  },
);

/** A service may find a short delay too short to be left to it, and says so. */
const SHORT_MS = 3_000;

/** Alice on the SFU as a member of the slot, with a way to leave her delayed events to the server. */
async function onSfu(world: World, scene: Scene, slot_id: string) {
  const { alice, roomId } = scene;
  const sfu = world.sfu();
  const url = await sfuUrlOf(world, alice);
  const member = { room_id: roomId, slot_id, member_id: world.name("member") };
  const jwt = tokenOf(await requestToken(world, alice, { ...member, url }));
  const connection: SfuConnection = await connectToSfu(sfu.websocketUrl, jwt);
  return {
    connection,
    delegate: (delay_id: string) =>
      alice.post(livekitPath(world, "delegate_delayed_leave"), { ...member, url, delay_id }),
  };
}

check(
  "MSC4195.delegate.happy",
  "the service sends a leave that was left to it once the SFU has lost the member",
  { ...SLOW, mutant: serviceThat("never sends it", "never-send", "m.call#lost") },
  async (world) => {
    const here = await scene(world);
    const mark = world.name("leave");
    const delayId = await here.delayed.scheduled(here.alice, here.roomId, message(mark, FAR_MS));
    const { connection, delegate } = await onSfu(world, here, "m.call#lost");
    await using _ = connection;
    ok(await delegate(delayId));

    await expectSentOnceLost(world, here, connection, mark);
  },
);

check(
  "MSC4195.delegate.happy",
  "the service keeps a leave from being sent while the member is on the SFU",
  {
    ...SLOW,
    mutant: serviceThat("does not restart it", "never-restart", "m.call#kept"),
  },
  async (world) => {
    const here = await scene(world);
    const { connection, delegate } = await onSfu(world, here, "m.call#kept");
    await using _ = connection;
    const mark = world.name("leave");
    const delayId = await here.delayed.scheduled(here.alice, here.roomId, message(mark, SHORT_MS));

    const response = await delegate(delayId);

    if (response.status === 400) {
      expectMatrixError(response, 400, "M_INVALID_PARAM");
      world.note(`a delay of ${SHORT_MS} ms is too short to be left to the service`);
      return;
    }
    ok(response);
    await expectMarksOnceOvertaken(world, here, 2 * SHORT_MS, []);
  },
);

check(
  "MSC4195.delegate.replace",
  "a leave that is left to the service takes the place of an earlier one of the same member",
  { ...SLOW, mutant: serviceThat("sends both", "keep-earlier", "m.call#replaced") },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const [first, second] = [world.name("first"), world.name("second")];
    const { connection, delegate } = await onSfu(world, here, "m.call#replaced");
    await using _ = connection;
    for (const mark of [first, second])
      ok(await delegate(await delayed.scheduled(alice, roomId, message(mark, FAR_MS))));

    connection.lose();

    await untilSent(alice, roomId, second, NOTICED_MS);
    await expectMarksOnceOvertaken(world, here, 1_000, [second]);
  },
);
