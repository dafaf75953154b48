/** Leaves that are left to the standalone service: lk-jwt-service, README §POST /delegate_delayed_leave. */
import { AccessToken } from "livekit-server-sdk";
import { connectToSfu, type SfuConnection } from "#harness/clients/rtc/sfu-connection";
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectStatus, ok } from "#harness/world/expect";
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
import { memberOf, openidTokenOf, SLOT, standaloneThat } from "./openid.ts";
import { claimsOf, grantOf, tokenOf } from "./tokens.ts";

const DELEGATE = "/delegate_delayed_leave";

interface Delegated {
  readonly here: Scene;
  /** Of the leave. */
  readonly mark: string;
  readonly connection: SfuConnection;
  /** What she connected with. */
  readonly jwt: string;
  readonly response: HttpResponse;
}

/** Alice on the SFU, whose leave she has left to the service. @param endpoint that her token comes from */
async function delegated(world: World, endpoint: "/get_token" | "/sfu/get"): Promise<Delegated> {
  const here = await scene(world);
  const { alice, roomId } = here;
  const service = world.clientOf(world.rtc().base);
  const member = memberOf(world, alice);
  const openid_token = await openidTokenOf(alice);
  const newer = { room_id: roomId, slot_id: SLOT, openid_token, member };
  const older = { room: roomId, openid_token, device_id: alice.deviceId };
  const body = endpoint === "/get_token" ? newer : older;
  const jwt = tokenOf(await service.request("POST", endpoint, { body }));
  const connection = await connectToSfu(world.sfu().websocketUrl, jwt);
  const mark = world.name("leave");
  const delay_id = await here.delayed.scheduled(alice, roomId, message(mark, FAR_MS));
  const response = await service.request("POST", DELEGATE, {
    body: { ...newer, delay_id, delay_timeout: FAR_MS },
  });
  return { here, mark, connection, jwt, response };
}

check(
  "LKJWT.delegate.happy",
  "the service sends a leave that was left to it once the SFU has lost the member",
  { ...SLOW, mutant: standaloneThat("never sends it", "never-send", DELEGATE) },
  async (world) => {
    const { here, mark, connection, response } = await delegated(world, "/get_token");
    await using _ = connection;
    ok(response);

    await expectSentOnceLost(world, here, connection, mark);
  },
);

check(
  "LKJWT.delegate.identity-mix",
  "the service finds a member by the name that its token gave it, or refuses to take its leave",
  {
    ...SLOW,
    mutant: [
      standaloneThat("looks for one name only", "wrong-identity", DELEGATE),
      altersAnswer("breaks", { to: "rtc1", path: DELEGATE, status: 200 }, { status: 500 }),
    ],
  },
  async (world) => {
    const { here, mark, connection, response } = await delegated(world, "/sfu/get");
    await using _ = connection;
    if (response.status !== 200) {
      expectStatus(response, [400, 403, 404]);
      world.note(`refused with ${response.status}`);
      return;
    }

    connection.lose();

    await untilSent(here.alice, here.roomId, mark, NOTICED_MS);
  },
);

check(
  "LKJWT.webhook.signature",
  "the service believes only what the SFU has signed",
  {
    ...SLOW,
    mutant: standaloneThat("believes anybody", "skip-signature-check", "/sfu_webhook"),
  },
  async (world) => {
    const { here, connection, jwt, response } = await delegated(world, "/get_token");
    await using _ = connection;
    ok(response);
    const service = world.clientOf(world.rtc().base);
    const participant = { identity: String(claimsOf(jwt).sub) };
    const event = { event: "participant_left", room: { name: grantOf(jwt).room }, participant };
    const raw = JSON.stringify(event);
    const { apiKey } = await world.sfu().access();
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(raw));
    const forged = new AccessToken(apiKey, world.name("x".repeat(32)));
    forged.sha256 = Buffer.from(digest).toString("base64");
    const tell = (authorization: string | null) =>
      service.request("POST", "/sfu_webhook", {
        raw,
        headers: { authorization, "content-type": "application/webhook+json" },
      });

    const unsigned = await tell(null);
    const wrong = await tell(await forged.toJwt());

    for (const { status } of [unsigned, wrong]) world.note(`answered ${status}`);
    await expectMarksOnceOvertaken(world, here, 1_000, []);
  },
);

check(
  "LKJWT.restart",
  "a leave that was left to the service survives the service's death",
  { ...SLOW, isolated: {}, mutant: standaloneThat("forgets it", "never-store", DELEGATE) },
  async (world) => {
    const rtc = world.rtc();
    if (!rtc.capabilities.includes("killable")) throw new Unsupported("rtc-auth:killable");
    if (!rtc.capabilities.includes("keepsDelegations"))
      throw new Unsupported("rtc-auth:store", "the service was started without one");
    const { here, mark, connection, response } = await delegated(world, "/get_token");
    await using _ = connection;
    ok(response);
    await world.killAndRestart(rtc.role);

    await expectSentOnceLost(world, here, connection, mark);
  },
);
