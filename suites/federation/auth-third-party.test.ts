import { path } from "#harness/http/client";
import type { SigningKey } from "#harness/peer/keys";
import type { Meeting } from "#harness/peer/meeting";
import type { Draft } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";
import { publicKeyOf, signJson } from "#protocol/events/signatures";
import {
  ban,
  expectMembership,
  keeps,
  listed,
  meetAsDoorkeeper,
  member,
  offer,
  peerUsers,
  putLevels,
} from "./rejection.ts";

const MEMBER = "m.room.member";
const OFFER = "m.room.third_party_invite";
const PUT_OFFER = `/_matrix/client/v3/rooms/*/state/${OFFER}/*`;
const SIGNER = "identity.example.org";
const INVITES = keeps("takes the invite", MEMBER, { membership: "invite" });
const INVITES_NOBODY = keeps("takes no such invite", MEMBER, { membership: "leave" });

/** The state event that waits for somebody to be found behind an address. */
function waiting(sender: string, token: string, keys: JsonObject): Draft {
  const content = { display_name: "b…@e…", key_validity_url: `https://${SIGNER}/valid`, ...keys };
  return { type: OFFER, stateKey: token, sender, content };
}

/** The invite that it becomes. @param signed what the identity server signed */
function invite(sender: string, target: string, signed: JsonObject | undefined): Draft {
  const answer = { display_name: "b…@e…", ...(signed === undefined ? {} : { signed }) };
  const content = { membership: "invite", third_party_invite: answer };
  return { ...member(sender, target, "invite"), content };
}

function sign(content: JsonObject, key: SigningKey): JsonObject {
  return signJson(content, SIGNER, key.id, key.secret);
}

function publicKey(key: SigningKey): JsonObject {
  return { public_key: publicKeyOf(key.secret) };
}

/** Sends what is to be refused, then the invite that is right. */
async function expectOnlyRight(
  meeting: Meeting,
  wrong: readonly Draft[],
  right: Draft,
): Promise<void> {
  const { alice, peer, room, mallory } = meeting;

  await offer(meeting, ...wrong.map((draft) => room.build(draft)));
  await peer.send(room, right);
  await peer.fence(room, alice, { sender: mallory });

  for (const { stateKey = "" } of wrong) await expectMembership(meeting, stateKey, undefined);
  await expectMembership(meeting, right.stateKey ?? "", "invite");
}

check(
  "FED.auth.3pid-fields",
  "the server rejects a third-party invite that does not say whom was signed for",
  { mutant: [INVITES, INVITES_NOBODY] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetAsDoorkeeper(world, version);
      const { peer, room, mallory } = meeting;
      const [key, token] = [peer.keys.another(), world.name("token")];
      await peer.send(room, waiting(mallory, token, publicKey(key)));
      const [bare, tokenless, nameless, other, right] = peerUsers(
        peer,
        "bare",
        "tokenless",
        "nameless",
        "other",
        "right",
      );

      await expectOnlyRight(
        meeting,
        [
          invite(mallory, bare, undefined),
          invite(mallory, tokenless, sign({ mxid: tokenless }, key)),
          invite(mallory, nameless, sign({ token }, key)),
          invite(mallory, other, sign({ mxid: right, token }, key)),
        ],
        invite(mallory, right, sign({ mxid: right, token }, key)),
      );
    }
  },
);

check(
  "FED.auth.3pid-token-sender",
  "the server rejects a third-party invite with a token that its sender did not put in the room",
  { mutant: [INVITES, INVITES_NOBODY] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetAsDoorkeeper(world, version);
      const { alice, peer, room, mallory } = meeting;
      const [key, token] = [peer.keys.another(), world.name("token")];
      const unknown = world.name("token");
      const [stranger, foreign, banned, late] = peerUsers(
        peer,
        "stranger",
        "foreign",
        "banned",
        "late",
      );
      const [right, charlie] = peerUsers(peer, "right", "charlie");
      await peer.join(room.roomId, charlie, { via: alice.server.serverName });
      await ban(meeting, banned);
      await peer.send(room, waiting(mallory, token, publicKey(key)));
      const signedFor = (mxid: string, by = token) => sign({ mxid, token: by }, key);

      await offer(meeting, room.build(invite(mallory, banned, signedFor(banned))));
      await expectOnlyRight(
        meeting,
        [
          invite(mallory, stranger, signedFor(stranger, unknown)),
          invite(charlie, foreign, signedFor(foreign)),
        ],
        invite(mallory, right, signedFor(right)),
      );
      await peer.send(room, { type: OFFER, stateKey: token, sender: mallory, content: {} });
      await offer(meeting, room.build(invite(mallory, late, signedFor(late))));

      await expectMembership(meeting, banned, "ban");
      await expectMembership(meeting, late, undefined);
    }
  },
);

check(
  "FED.auth.3pid-signature",
  "the server takes a third-party invite only if one of the keys in the room signed it",
  { mutant: [INVITES, INVITES_NOBODY] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetAsDoorkeeper(world, version, { invite: 50 });
      const { alice, peer, room, mallory } = meeting;
      const first = peer.keys.another();
      const second = peer.keys.another();
      const token = world.name("token");
      const keys = { ...publicKey(first), public_keys: [publicKey(first), publicKey(second)] };
      const [strange, altered] = peerUsers(peer, "strange", "altered");
      const [bySecond, right] = peerUsers(peer, "second", "right");
      const signedFor = (mxid: string, key: SigningKey) => sign({ mxid, token }, key);
      await putLevels(meeting, { users: { [mallory]: 50 } });
      await peer.send(room, waiting(mallory, token, keys));
      await peer.fence(room, alice);
      await putLevels(meeting, { users: { [mallory]: 0 } });

      await expectOnlyRight(
        meeting,
        [
          invite(mallory, strange, signedFor(strange, peer.keys.another())),
          invite(mallory, altered, { ...signedFor(right, first), mxid: altered }),
        ],
        invite(mallory, right, signedFor(right, first)),
      );
      await peer.send(room, invite(mallory, bySecond, signedFor(bySecond, second)));
      await peer.fence(room, alice);

      await expectMembership(meeting, bySecond, "invite");
    }
  },
);

check(
  "FED.auth.3pid-event-level",
  "the server asks for the invite level, and no other, for a third-party invite",
  {
    mutant: [
      refuses(
        "asks for the level of state",
        { method: "PUT", path: PUT_OFFER },
        403,
        "M_FORBIDDEN",
      ),
      altersAnswer(
        "asks for no level",
        { method: "PUT", path: PUT_OFFER, status: 403 },
        { status: 200, body: { event_id: "$taken" } },
      ),
      keeps("takes another one", OFFER, { display_name: "another" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetAsDoorkeeper(world, version, {
        events: { [OFFER]: 100 },
        state_default: 50,
      });
      const { alice, peer, room, mallory } = meeting;
      const bob = await world.user("bob");
      const key = publicKey(peer.keys.another());
      const [low, high] = [world.name("low"), world.name("high")];
      const put = (token: string) =>
        bob.put(
          path`/_matrix/client/v3/rooms/${room.roomId}/state/${OFFER}/${token}`,
          waiting(bob.userId, token, key).content,
        );
      await bob.join(room.roomId);

      const allowed = await put(world.name("own"));
      await peer.send(room, waiting(mallory, low, key));
      await peer.fence(room, alice);
      await putLevels(meeting, { invite: 50 });
      const refused = await put(world.name("refused"));
      await offer(meeting, room.build(waiting(mallory, high, key)));

      ok(allowed);
      expectMatrixError(refused, 403);
      const taken = await alice.state(room.roomId, OFFER, low);
      expectEqual(taken?.public_key, key.public_key, `the key of the offer in version ${version}`);
      const rejected = await alice.state(room.roomId, OFFER, high);
      expectEqual(rejected, undefined, `the offer without the level in version ${version}`);
    }
  },
);
