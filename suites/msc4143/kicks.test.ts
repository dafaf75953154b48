/** Who has left the room leaves the SFU: MSC4195 §Kicking users from the SFU on room leave/ban. */
import { connectToSfu } from "#harness/clients/rtc/sfu-connection";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { NOTICED_MS, SLOW } from "./leaves.ts";
import { claimsOf, grantOf, requestToken, serviceThat, tokenOf, tokenScene } from "./tokens.ts";

const SLOT = "m.call#kicked";

check(
  "MSC4195.kick.sfu-removal",
  "the service removes from the SFU whoever leaves the room, is kicked or banned, and again when they come back",
  {
    ...SLOW,
    mutant: [
      serviceThat("lets them stay", "never-kick", SLOT),
      serviceThat("lets them come back", "kick-once", SLOT),
    ],
  },
  async (world) => {
    const { alice, roomId, body } = await tokenScene(world, SLOT);
    const sfu = world.sfu();
    const leavers = await world.users("bob", "carol", "dave");
    const [bob, carol, dave] = leavers;
    const tokenFor = async (session: Session) => {
      const order = { ...body, member_id: world.name("member") };
      return tokenOf(await requestToken(world, session, order));
    };
    await using connections = new AsyncDisposableStack();
    const connect = async (jwt: string) =>
      connections.use(await connectToSfu(sfu.websocketUrl, jwt));
    const jwts = new Map<Session, string>();
    for (const session of [alice, ...leavers]) {
      if (session !== alice) await session.join(roomId);
      const jwt = await tokenFor(session);
      jwts.set(session, jwt);
      await connect(jwt);
    }
    const jwtOf = (session: Session) => jwts.get(session) ?? "";
    const identityOf = (session: Session) => String(claimsOf(jwtOf(session)).sub);
    const expectOnSfu = async (sessions: readonly Session[], what: string) => {
      const room = String(grantOf(jwtOf(alice)).room);
      const present = (await sfu.participants(room)).map(({ identity }) => identity);
      expectEqual(present.toSorted(), sessions.map(identityOf).toSorted(), what);
    };
    await expectOnSfu([alice, ...leavers], "who is on the SFU");

    await alice.kick(roomId, bob);
    await alice.ban(roomId, carol);
    await dave.leave(roomId);
    const left = performance.now();
    const untilAlone = (what: string) =>
      world.eventually(() => expectOnSfu([alice], what), { deadlineMs: NOTICED_MS });
    await untilAlone("who is on the SFU once all others have left");
    world.note(`they were removed ${((performance.now() - left) / 1_000).toFixed(1)} s later`);

    const client = world.clientOf(sfu.base);
    for (const session of leavers) {
      const query = { access_token: jwtOf(session) };
      const { status } = await client.request("GET", "/rtc/validate", { query });
      if (status === 200) await connect(jwtOf(session));
      else world.note(`the SFU refuses the old token with ${status}`);
    }
    await untilAlone("who is on the SFU once all have come back with their old tokens");
  },
);
