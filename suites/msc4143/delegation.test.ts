/** Whose leave the homeserver takes over: MSC4195 §Optional delegated delayed leave events. */
import { check } from "#harness/world/check";
import { expectMatrixError, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { FAR_MS, message, scene } from "./delayed.ts";
import { livekitPath, serviceThat, sfuUrlOf } from "./tokens.ts";

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
    const mallory = world.session(
      "hs1",
      { userId: "@mallory:hs1", localpart: "mallory", password: "" },
      { accessToken: world.name("invented"), deviceId: "" },
    );
    const target = livekitPath(world, "delegate_delayed_leave");

    expectMatrixError(await world.anonymous().post(target, body), 401, "M_MISSING_TOKEN");
    expectMatrixError(await mallory.post(target, body), 401, "M_UNKNOWN_TOKEN");
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
