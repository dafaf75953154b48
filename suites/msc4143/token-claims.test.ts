/** What tokens say: MSC4195 §Access token properties, §LiveKit participant identities, §LiveKit room names. */
import { numberAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import {
  claimsOf,
  grantOf,
  hashOf,
  requestToken,
  serviceThat,
  tokenOf,
  tokenScene,
} from "./tokens.ts";

const NEAR_S = 60;
/** A self-hosted SFU can not take tokens back. */
const LONG_S = 6 * 60 * 60;

check(
  "MSC4195.token.claims",
  "a token lets its holder join, see and hear, and not end the room",
  {
    mutant: [
      serviceThat("lets holders make rooms", "room-create", "m.call#claims"),
      serviceThat("hides holders", "hidden", "m.call#claims"),
      serviceThat("names another holder", "wrong-identity", "m.call#claims"),
    ],
  },
  async (world) => {
    const { alice, body } = await tokenScene(world, "m.call#claims");

    const jwt = tokenOf(await requestToken(world, alice, body));

    const now = Date.now() / 1_000;
    const claims = claimsOf(jwt);
    const grant = grantOf(jwt);
    expectEqual(claims.sub, await hashOf(alice.userId, body.member_id), "sub");
    expectThat(typeof grant.room === "string" && grant.room !== "", "a room", String(grant.room));
    expectEqual(grant.roomJoin, true, "video.roomJoin");
    expectEqual(grant.roomCreate ?? false, false, "video.roomCreate");
    expectEqual(grant.canSubscribe ?? true, true, "video.canSubscribe");
    expectEqual(grant.hidden ?? false, false, "video.hidden");
    const nbf = numberAt(claims, "nbf");
    expectThat(Math.abs(nbf - now) <= NEAR_S, "nbf of now", `${Math.round(nbf - now)} s from now`);
    const lifetimeS = numberAt(claims, "exp") - now;
    expectThat(lifetimeS > 0, "exp after now", `${Math.round(lifetimeS)} s from now`);
    if (lifetimeS > LONG_S)
      world.note(
        `tokens live for ${Math.round(lifetimeS)} s, which is long for an SFU that can not take them back`,
      );
  },
);

check(
  "MSC4195.token.claims-metadata",
  "a token does not let its holder change what the SFU says of it",
  { mutant: serviceThat("lets holders rename themselves", "update-metadata", "m.call#metadata") },
  async (world) => {
    const { alice, body } = await tokenScene(world, "m.call#metadata");

    const grant = grantOf(tokenOf(await requestToken(world, alice, body)));

    expectEqual(grant.canUpdateOwnMetadata ?? false, false, "video.canUpdateOwnMetadata");
  },
);

check(
  "MSC4195.identity.derivation",
  "the identity on the SFU is the hash of user and member, whatever their characters",
  { mutant: serviceThat("has the device in it", "wrong-identity", "m.call#identity") },
  async (world) => {
    const vector = await hashOf("@alice:example.com", "memberABC");
    expectEqual(vector, "M3VnsLXrkbxIDINXO64u8PZzFyD9ZYFiQULR2dshWYs", "our own derivation");
    const { alice, body } = await tokenScene(world, "m.call#identity");
    const odd = [world.name("member"), "a&b<c>d", "größer ☃", '"\\/\u2028', "🜁"];

    for (const member_id of odd) {
      const jwt = tokenOf(await requestToken(world, alice, { ...body, member_id }));
      expectEqual(claimsOf(jwt).sub, await hashOf(alice.userId, member_id), `sub of ${member_id}`);
    }
  },
);

check(
  "MSC4195.room.derivation",
  "a slot has one room on the SFU, no other has the same, and its name tells neither room nor slot",
  {
    mutant: [
      serviceThat("has one room for all", "one-room", "m.call#derived"),
      serviceThat("names it after what it is for", "plain-room-name", "m.call#derived"),
    ],
  },
  async (world) => {
    const slot = "m.call#derived";
    const { alice, roomId, body } = await tokenScene(world, slot);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const other = await alice.createRoom();
    const roomOf = async (session: typeof alice, changes: object = {}) =>
      String(grantOf(tokenOf(await requestToken(world, session, { ...body, ...changes }))).room);

    const alices = await roomOf(alice);
    const bobs = await roomOf(bob, { member_id: world.name("member") });
    const ofOtherSlot = await roomOf(alice, { slot_id: `${slot}-2` });
    const ofOtherRoom = await roomOf(alice, { room_id: other });

    expectEqual(bobs, alices, "the room of another member");
    expectThat(
      new Set([alices, ofOtherSlot, ofOtherRoom]).size === 3,
      "rooms of their own for another slot and another room",
      JSON.stringify([alices, ofOtherSlot, ofOtherRoom]),
    );
    const localpart = roomId.slice(1).split(":")[0] ?? roomId;
    for (const part of [roomId, localpart, slot])
      expectThat(!alices.includes(part), `a name without ${part}`, alices);
    if (alices !== (await hashOf(roomId, slot)))
      world.note("the name is not the example's hash of room and slot");
  },
);
