/** matrix-js-sdk in calls (harness/clients/rtc/js-sdk-call.ts) against a real server. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CallOptions, JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { LEGACY_MEMBER, MEMBER } from "#harness/clients/rtc/names";
import type { JsonObject } from "#harness/match/json";
import type { World } from "#harness/world/world";
import { DeploymentForSpecs } from "./deployment-for-specs.ts";

/** Everybody may join calls in it. */
const ROOM = {
  preset: "public_chat",
  power_level_content_override: { events: { [LEGACY_MEMBER]: 0 } },
};
const LEAVE = { delayedLeaveEventDelayMs: 4_000, delayedLeaveEventRestartMs: 1_000 };

let server: DeploymentForSpecs;

beforeAll(async () => {
  server = await DeploymentForSpecs.start();
}, 300_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

async function pair(world: World, options: CallOptions = {}, room: JsonObject = ROOM) {
  const [asAlice, asBob] = await world.users("alice", "bob");
  const roomId = await asAlice.createRoom(room);
  await asBob.join(roomId);
  const [alice, bob] = await Promise.all(
    [asAlice, asBob].map((session) => JsSdkCall.start(session, options)),
  );
  if (alice === undefined || bob === undefined) throw new Error("no pair");
  const [stack, started] = [new AsyncDisposableStack(), [alice, bob]];
  for (const call of started) stack.use(call);
  return { alice, bob, roomId, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function usersIn(call: JsSdkCall, roomId: string): Promise<readonly string[]> {
  return (await call.roster(roomId)).map(({ userId }) => userId).toSorted();
}

test.each(["sticky", "state"] as const)(
  "two devices meet in the call of a room by %s events, and one leaves",
  async (by) => {
    await using here = server.world("MSC4143.member.leave");
    await using meeting = await pair(here);
    const { alice, bob, roomId } = meeting;

    await alice.join(roomId, { by, library: LEAVE });
    await bob.join(roomId, { by, library: LEAVE });

    const both = [alice, bob].map(({ session }) => session.userId).toSorted();
    for (const call of [alice, bob]) await expect.poll(() => usersIn(call, roomId)).toEqual(both);
    const type = by === "sticky" ? MEMBER : LEGACY_MEMBER;
    // The leave is scheduled before the join is sent.
    expect(alice.sent(type).slice(0, 2)).toMatchObject([
      { delayMs: 4_000, status: 200, delayId: expect.any(String) },
      { status: 200, eventId: expect.any(String) },
    ]);
    // The others may see a member before its own library has the answer to what it sent.
    const connected = expect.objectContaining({ what: "status", roomId, status: "Connected" });
    await expect.poll(() => bob.happened).toContainEqual(connected);
    expect(await bob.leave(roomId)).toBe(true);
    // With what tells why, if it comes to nothing.
    await expect
      .poll(async () => ({ now: await usersIn(alice, roomId), by: bob.happened.slice(-8) }))
      .toMatchObject({ now: [alice.session.userId] });
    expect(alice.happened).toContainEqual(
      expect.objectContaining({ what: "session", is: "started", roomId }),
    );
  },
);

test("a device that is killed is gone once its delayed leave is due, and what happened to it is kept", async () => {
  await using here = server.world("MSC4143.member.leave");
  await using meeting = await pair(here);
  const { alice, bob, roomId } = meeting;
  await bob.join(roomId, { by: "sticky", library: LEAVE });
  await expect.poll(() => usersIn(alice, roomId)).toEqual([bob.session.userId]);

  await bob.kill();

  await expect.poll(() => usersIn(alice, roomId)).toEqual([]);
  expect(bob.sent(MEMBER)).toHaveLength(2);
  await expect(bob.roster(roomId)).rejects.toMatchObject({ code: "INTERRUPTED" });
});

test("keys go from device to device by Olm", async () => {
  await using here = server.world("MSC4143.key.recipients");
  const algorithm = "m.megolm.v1.aes-sha2";
  const encryption = { type: "m.room.encryption", state_key: "", content: { algorithm } };
  await using meeting = await pair(
    here,
    { crypto: "signed" },
    { ...ROOM, initial_state: [encryption] },
  );
  const { alice, bob, roomId } = meeting;

  await alice.join(roomId, { by: "sticky", library: LEAVE });
  await bob.join(roomId, { by: "sticky", library: LEAVE });

  const { userId } = alice.session;
  const ofAlice = (call: JsSdkCall) =>
    call
      .keys()
      .filter((key) => key.userId === userId)[0]
      ?.key.reveal();
  await expect.poll(() => ofAlice(bob)).toBeTypeOf("string");
  expect(ofAlice(bob)).toBe(ofAlice(alice));
  expect(alice.happened).toContainEqual(
    expect.objectContaining({ what: "mailed", type: "m.room.encrypted", status: 200 }),
  );
  expect(JSON.stringify(bob.happened)).not.toContain(ofAlice(alice));
});

test("an invite rings, and no more once it is declined on another device", async () => {
  await using here = server.world("MSC4075.decline");
  await using meeting = await pair(here);
  const { alice, bob, roomId } = meeting;
  await alice.openSlot(roomId);

  await alice.join(roomId, {
    by: "sticky",
    library: { ...LEAVE, notificationType: "ring" },
  });

  const INVITE = "org.matrix.msc4075.rtc.notification";
  await expect.poll(() => alice.sent(INVITE)[0]?.eventId).toBeTypeOf("string");
  const invite = alice.sent(INVITE)[0]?.eventId ?? "";
  await expect.poll(() => bob.invite(roomId, invite)).toMatchObject({ rings: true });
  await bob.decline(roomId, invite);
  await expect.poll(() => bob.invite(roomId, invite)).toMatchObject({ rings: false });
  expect(await bob.invite(roomId, "$nothing")).toBeUndefined();
});
