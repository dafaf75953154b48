/** What the SFU makes of tokens: LiveKit 1.11.0, /rtc/validate. */
import { AccessToken, RoomServiceClient, type VideoGrant } from "livekit-server-sdk";
import { check } from "#harness/world/check";
import { expectStatus } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";

const VALIDATE = { to: "sfu1", path: "/rtc/validate" };

check(
  "RTC.sfu.token-validate",
  "the SFU lets in who has a token of its own for a room that is there",
  {
    mutant: [
      altersAnswer("takes any token", { ...VALIDATE, status: 401 }, { status: 200 }),
      altersAnswer("makes rooms by itself", { ...VALIDATE, status: 404 }, { status: 200 }),
      altersAnswer("takes none", { ...VALIDATE, status: 200 }, { status: 401 }),
    ],
  },
  async (world) => {
    const sfu = world.sfu();
    const { apiKey, apiSecret } = await sfu.access();
    const room = world.name("room");
    await new RoomServiceClient(sfu.base, apiKey, apiSecret).createRoom({ name: room });
    const sign = async (secret: string, grant: VideoGrant, ttlS = 600) => {
      const token = new AccessToken(apiKey, secret, {
        identity: world.name("identity"),
        ttl: ttlS,
      });
      token.addGrant({ roomJoin: true, ...grant });
      return await token.toJwt();
    };
    const validate = async (jwt: string) =>
      await world
        .clientOf(sfu.base)
        .request("GET", "/rtc/validate", { query: { access_token: jwt } });
    // LiveKit takes tokens for a minute after they have expired.
    const expiredS = -90;

    const good = await validate(await sign(apiSecret, { room }));
    const forged = await validate(await sign(world.name("x".repeat(32)), { room }));
    const noRoom = await validate(
      await sign(apiSecret, { room: world.name("room"), roomCreate: true }),
    );
    const late = await validate(await sign(apiSecret, { room }, expiredS));

    expectStatus(good, 200);
    expectStatus(forged, 401);
    expectStatus(noRoom, 404);
    expectStatus(late, 401);
  },
);
