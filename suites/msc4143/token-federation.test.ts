/** Tokens for the SFU of another server: MSC4195 §Acquiring LiveKit access tokens. */

import { at } from "#harness/match/json";
import { answer } from "#harness/peer/answer";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  claimsOf,
  FEDERATION_TOKEN,
  GET_TOKEN,
  grantOf,
  hashOf,
  requestToken,
  type Scene,
  serviceThat,
  tokenOf,
  tokenScene,
} from "./tokens.ts";

const REQUEST = { method: "POST", path: GET_TOKEN };
const FEDERATION = "/_matrix/federation/**/rtc/livekit/get_token";
const CLAIMED = { jwt: "e30.e30.e30" };
const GIVES_ANYWAY = altersAnswer(
  "gives a token all the same",
  { from: "peer-*", path: FEDERATION, status: [400, 401, 403] },
  { status: 200, body: CLAIMED },
);

/** As `tokenScene`, with bob of another server in the room. */
async function meet(world: World, slot: string): Promise<Scene & { readonly bob: Session }> {
  const scene = await tokenScene(world, slot);
  const bob = await world.user("bob", "hs2");
  await bob.joinWhole(scene.roomId, scene.alice);
  return { ...scene, bob };
}

/** A request of bob's for the SFU of alice's server. */
function remotely({ alice, body }: Scene): object {
  return { ...body, server_name: alice.server.serverName };
}

check(
  "MSC4195.token.remote",
  "the homeserver gets its user a token for another server's SFU",
  {
    mutant: [
      altersAnswer(
        "knows its own SFU only",
        { ...REQUEST, status: 200 },
        { status: 400, body: { errcode: "M_INVALID_PARAM", error: "no such SFU" } },
      ),
      serviceThat("names another user", "wrong-identity", "m.call#remote"),
    ],
  },
  async (world) => {
    const scene = await meet(world, "m.call#remote");

    const jwt = tokenOf(await requestToken(world, scene.bob, remotely(scene)));

    expectEqual(claimsOf(jwt).sub, await hashOf(scene.bob.userId, scene.body.member_id), "sub");
    const own = tokenOf(await requestToken(world, scene.alice, scene.body));
    expectEqual(grantOf(jwt).room, grantOf(own).room, "the room of both members");
    if (!world.has("sfu")) return;
    const validated = await world
      .clientOf(world.sfu().base)
      .request("GET", "/rtc/validate", { query: { access_token: jwt } });
    expectEqual(validated.status, 200, "what the SFU says of the token", validated);
  },
);

check(
  "MSC4195.token.publish-local-only",
  "tokens let users of the SFU's server send, and those of others only receive",
  {
    mutant: [
      serviceThat("lets everybody send", "publish-for-all", "m.call#publish"),
      altersAnswer(
        "gives another token",
        { ...REQUEST, status: 200 },
        { body: { jwt: "e30.eyJ2aWRlbyI6e319.e30" } },
      ),
    ],
  },
  async (world) => {
    const scene = await meet(world, "m.call#publish");

    const own = grantOf(tokenOf(await requestToken(world, scene.alice, scene.body)));
    const remote = grantOf(tokenOf(await requestToken(world, scene.bob, remotely(scene))));

    expectEqual(own.canPublish ?? true, true, "video.canPublish of the own user");
    // Absent is yes to LiveKit.
    expectEqual(remote.canPublish ?? true, false, "video.canPublish of the other server's user");
    expectEqual(remote.canSubscribe ?? true, true, "video.canSubscribe of the other server's user");
  },
);

check(
  "MSC4195.token.remote-errors",
  "the homeserver passes on two refusals of the other server, and calls everything else a failure of it",
  {
    mutant: [
      altersAnswer("passes on anything", { ...REQUEST, status: 502 }, { status: 500 }),
      altersAnswer(
        "calls refusals a failure",
        { ...REQUEST, status: 403 },
        { status: 502, set: { "/errcode": "M_UNKNOWN" } },
      ),
      altersAnswer(
        "calls another SFU a failure",
        { ...REQUEST, status: 400 },
        { status: 502, set: { "/errcode": "M_UNKNOWN" } },
      ),
    ],
  },
  async (world) => {
    const scene = await tokenScene(world, "m.call#errors");
    const peer = await world.peer();
    const ask = async (status: number, body: Record<string, string>) => {
      using _ = peer.on(`POST ${FEDERATION_TOKEN}`, () => answer(body, status));
      using __ = peer.on("POST /_matrix/federation/v1/rtc/livekit/get_token", () =>
        answer(body, status),
      );
      return await requestToken(world, scene.alice, {
        ...scene.body,
        server_name: peer.serverName,
      });
    };
    const error = "words of the other server";

    const forbidden = await ask(403, { errcode: "M_FORBIDDEN", error });
    const invalid = await ask(400, { errcode: "M_INVALID_PARAM", error });
    const others = [
      await ask(400, { errcode: "M_BAD_JSON", error }),
      await ask(404, { errcode: "M_UNRECOGNIZED", error }),
      await ask(500, { errcode: "M_UNKNOWN", error }),
      await requestToken(world, scene.alice, {
        ...scene.body,
        server_name: "nobody.crucible.example:8448",
      }),
    ];

    expectMatrixError(forbidden, 403, "M_FORBIDDEN");
    expectMatrixError(invalid, 400, "M_INVALID_PARAM");
    for (const response of others) expectMatrixError(response, 502, "M_UNKNOWN");
  },
);

check(
  "MSC4195.token.fed-user-origin",
  "the service gives another server tokens for its own joined users only",
  {
    mutant: [
      serviceThat("takes any user of any server", "skip-origin-check", "m.call#origin"),
      serviceThat("does not look who is in the room", "skip-join-check", "m.call#origin"),
      GIVES_ANYWAY,
    ],
  },
  async (world) => {
    const { alice, roomId, body } = await tokenScene(world, "m.call#origin");
    const peer = await world.peer();
    const mallory = peer.user("mallory");
    await peer.join(roomId, mallory);
    const ask = (user_id: string) => peer.client().post(FEDERATION_TOKEN, { ...body, user_id });

    const alices = await ask(alice.userId);
    const others = await ask("@carol:third.example");
    const notJoined = await ask(peer.user("nobody"));
    const own = await ask(mallory);

    for (const response of [alices, others, notJoined])
      expectMatrixError(response, 403, "M_FORBIDDEN");
    expectEqual(claimsOf(tokenOf(own)).sub, await hashOf(mallory, body.member_id), "sub");
  },
);

check(
  "MSC4195.token.fed-signature",
  "the homeserver refuses requests of servers that are not signed as they have to be",
  { mutant: GIVES_ANYWAY },
  async (world) => {
    const { roomId, body } = await tokenScene(world, "m.call#signed");
    const peer = await world.peer();
    const mallory = peer.user("mallory");
    await peer.join(roomId, mallory);
    const ask = (auth: Parameters<ReturnType<typeof peer.client>["request"]>[2]) =>
      peer
        .client()
        .request("POST", FEDERATION_TOKEN, { body: { ...body, user_id: mallory }, ...auth });

    const responses = [
      await ask({ auth: { header: () => null } }),
      await ask({ auth: { signedContent: { other: "body" } } }),
      await ask({ auth: { destination: "elsewhere.example" } }),
    ];

    for (const response of responses) {
      expectMatrixError(response, [401, 403]);
      expectThat(at(response.json, "jwt") === undefined, "no token", "a token", response);
    }
  },
);
