import { answer } from "#harness/peer/answer";
import type { SigningKey } from "#harness/peer/keys";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";
import { publicKeyOf, signJson } from "#protocol/events/signatures";

const EXCHANGE = "/_matrix/federation/v1/exchange_third_party_invite/*";
const INVITE = "/_matrix/federation/v2/invite/**";
const IS_VALID = "/_matrix/identity/v2/pubkey/isvalid";
const SIGNER = "identity.example.org";
const CLIENT_ERRORS = { from: 400, to: 499 };

check(
  "FED.3pid.exchange",
  "the server invites the one whom the identity server vouches for, and nobody else",
  {
    mutant: [
      altersAnswer(
        "takes any exchange",
        { from: "peer-*", path: EXCHANGE, status: [400, 401, 403, 404] },
        { status: 200, body: {} },
      ),
      {
        name: "invites somebody without need",
        rules: [
          {
            match: { to: "peer-*", path: INVITE },
            phase: "after",
            action: { kind: "duplicate" },
          },
        ],
      },
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const [right, stranger] = [peer.keys.another(), peer.keys.another()];
    const token = world.name("token");
    peer.on(`GET ${IS_VALID}`, () => answer({ valid: true }));
    peer.acceptInvites();
    const key = { public_key: publicKeyOf(right.secret) };
    await alice.setState(
      roomId,
      "m.room.third_party_invite",
      {
        display_name: "b…@e…",
        ...key,
        key_validity_url: `https://${peer.serverName}${IS_VALID}`,
        public_keys: [key],
      },
      token,
    );
    const exchange = (target: string, signed: JsonObject) =>
      peer.client().exchangeThirdPartyInvite(roomId, {
        type: "m.room.member",
        room_id: roomId,
        sender: alice.userId,
        state_key: target,
        content: {
          membership: "invite",
          third_party_invite: { display_name: "b…@e…", signed },
        },
      });
    const [invited, another] = [peer.user("invited"), peer.user("another")];
    const forged = sign({ mxid: another, token }, stranger);
    const unknown = sign({ mxid: another, token: world.name("unknown") }, right);
    const ofInvited = sign({ mxid: invited, token }, right);

    const refused = [
      await exchange(another, forged),
      await exchange(another, unknown),
      await exchange(another, ofInvited),
    ];
    const taken = await exchange(invited, ofInvited);

    for (const response of refused) {
      const { status } = response;
      const isRefused = status >= CLIENT_ERRORS.from && status <= CLIENT_ERRORS.to;
      expectThat(isRefused, "a refusal", status, response);
    }
    expectEqual(ok(taken), {}, "the answer to what is right", taken);
    const targets = peer.invites.items.map(({ pdu }) => pdu.json.state_key);
    expectEqual(targets, [invited], "who was invited");
    for (const [user, membership] of [
      [invited, "invite"],
      [another, undefined],
    ] as const) {
      const content = await alice.state(roomId, "m.room.member", user);
      expectEqual(content?.membership, membership, `the membership of ${user}`);
    }
  },
);

function sign(content: JsonObject, key: SigningKey): JsonObject {
  return signJson(content, SIGNER, key.id, key.secret);
}
