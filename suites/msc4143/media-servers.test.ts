/** Calls over the SFUs of several homeservers: MSC4195, and the SFU of the oldest member as deployed clients use it. */
import { lastTone } from "#harness/clients/rtc/media/hearing";
import { LEGACY_MEMBER } from "#harness/clients/rtc/names";
import { Unsupported } from "#harness/errors";
import { path } from "#harness/http/client";
import { isObject, type JsonObject, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { Call, LISTING, type Member, speak, spellsOf, untilHeard, WITH_MEDIA } from "./media.ts";
import { openidTokenOf, standaloneThat } from "./openid.ts";
import { GET_TOKEN, serviceThat } from "./tokens.ts";

/** What has been sent when an SFU dies may still be played. */
const PLAYED_MS = 1_000;

check(
  "RTC.media.multi-sfu",
  "members of two servers send on their own server's SFU, and hear each other on the other's",
  {
    isolated: {},
    deadlineMs: 150_000,
    mutant: [
      altersAnswer(
        "gets no tokens for another server's SFU",
        { method: "POST", path: GET_TOKEN, contains: '"server_name"' },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } },
      ),
      serviceThat("hides who speaks", "hidden", "m.call#two-sfus"),
      altersAnswer("takes what anybody sends", LISTING, {
        set: { "/participants/*/tracks": [{ sid: "TR_any", type: "AUDIO" }] },
      }),
    ],
  },
  async (world) => {
    const { role, capabilities } = world.sfu("hs2");
    if (!capabilities.includes("killable")) throw new Unsupported("sfu:killable");
    await using call = await Call.open(world, "m.call#two-sfus");
    const bobs = await call.user("bob", "hs2");
    const alice = await call.join("alice", call.alice);
    const bob = await call.join("bob", bobs);
    const aliceAway = await call.join("alice on bob's SFU", call.alice, { sfuOf: bobs });
    const bobAway = await call.join("bob on alice's SFU", bobs, { sfuOf: call.alice });

    await speak(alice, bob);

    await Promise.all([untilHeard(world, bobAway, alice), untilHeard(world, aliceAway, bob)]);
    expectEqual(await sendersOn(call, alice, "hs1"), [alice.media.identity], "who sends on sfu1");
    expectEqual(await sendersOn(call, bob, "hs2"), [bob.media.identity], "who sends on sfu2");

    await world.actOnServer(role, "kill");
    const since = Date.now();
    await untilHeard(world, bobAway, alice, { since });
    const last = lastTone(await spellsOf(aliceAway, bob), bob.hz) ?? 0;
    expectThat(last < since + PLAYED_MS, "only bob to fall silent", `${last - since} ms of him`);
  },
);

async function sendersOn(call: Call, member: Member, role: string): Promise<readonly unknown[]> {
  const participants = await call.listed(member, role);
  return participants
    .filter(({ tracks }) => Array.isArray(tracks) && tracks.length > 0)
    .map(({ identity }) => identity);
}

const STATE = { method: "GET", path: "/_matrix/client/v3/rooms/*/state" };

check(
  "RTC.media.legacy-oldest-member",
  "members of two servers meet on the SFU of the oldest membership",
  {
    ...WITH_MEDIA,
    mutant: [
      standaloneThat("names them otherwise", "wrong-identity", "/sfu/get"),
      standaloneThat("hides who speaks", "hidden", "/sfu/get"),
      altersAnswer("shows no memberships", STATE, { replace: [[LEGACY_MEMBER, "org.example.x"]] }),
    ],
  },
  async (world) => {
    await using call = await Call.open(world, "m.call#ROOM");
    const { roomId, alice: alices } = call;
    await alices.setState(roomId, "m.room.power_levels", {
      ...(await alices.state(roomId, "m.room.power_levels")),
      events: { [LEGACY_MEMBER]: 0 },
    });
    const bobs = await call.user("bob", "hs2");
    const created = Date.now();
    const bases = { alice: world.rtc().base, bob: world.rtc("hs2").base };
    await writeMembership(alices, roomId, bases.alice, created);
    await writeMembership(bobs, roomId, bases.bob, created + 1_000);

    const enter = async (name: string, session: Session) => {
      const base = await world.eventually(async () => await oldestIn(session, roomId));
      expectEqual(base, bases.alice, `the service of the oldest membership, as ${name} sees it`);
      const body = {
        room: roomId,
        openid_token: await openidTokenOf(session),
        device_id: session.deviceId,
      };
      const given = ok(await world.clientOf(base).request("POST", "/sfu/get", { body }));
      const [url, token] = [textAt(given, "url"), textAt(given, "jwt")];
      return await call.enter(name, session, { url, token });
    };
    const alice = await enter("alice", alices);
    const bob = await enter("bob", bobs);
    await speak(alice);

    await untilHeard(world, bob, alice);
    const names = [alices, bobs].map(({ userId, deviceId }) => `${userId}:${deviceId}`).toSorted();
    const listed = (await call.listed(alice)).map(({ identity }) => String(identity)).toSorted();
    expectEqual(listed, names, "who is on the SFU of the oldest membership");
    const mayBobSend = await bob.media.publishTone(bob.hz).then(
      () => true,
      () => false,
    );
    world.note(`bob may ${mayBobSend ? "" : "not "}send on another server's SFU`);
    await writeLeave(alices, roomId);
    await world.eventually(async () => {
      expectEqual(await oldestIn(bobs, roomId), bases.bob, "the service once the oldest has left");
    });
  },
);

function keyOf({ userId, deviceId }: Session): string {
  return `_${userId}_${deviceId}_m.call`;
}

async function writeMembership(
  session: Session,
  roomId: string,
  livekit_service_url: string,
  created_ts: number,
): Promise<void> {
  const content: JsonObject = {
    application: "m.call",
    call_id: "",
    scope: "m.room",
    device_id: session.deviceId,
    expires: 14_400_000,
    created_ts,
    focus_active: { type: "livekit", focus_selection: "oldest_membership" },
    foci_preferred: [{ type: "livekit", livekit_service_url, livekit_alias: roomId }],
  };
  await session.setState(roomId, LEGACY_MEMBER, content, keyOf(session));
}

async function writeLeave(session: Session, roomId: string): Promise<void> {
  await session.setState(roomId, LEGACY_MEMBER, {}, keyOf(session));
}

/** Base URL of the service that the oldest membership prefers, as its owner's clients see the room. */
async function oldestIn(session: Session, roomId: string): Promise<string> {
  const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  const events = Array.isArray(response.json) ? response.json.filter(isObject) : [];
  const [oldest] = events
    .filter(({ type }) => type === LEGACY_MEMBER)
    .map(({ content }) => content)
    .filter(isObject)
    .filter(({ created_ts }) => typeof created_ts === "number")
    .toSorted((left, right) => Number(left.created_ts) - Number(right.created_ts));
  const { foci_preferred: foci } = oldest ?? {};
  const [focus] = Array.isArray(foci) ? foci.filter(isObject) : [];
  if (focus === undefined) fail("a membership with a service", "no membership", response);
  return textAt(focus, "livekit_service_url");
}
