/** Sessions outlive restarts, and a split between the homeserver and its authorization server. */
import { type OAuthSession, refresh } from "#harness/clients/oauth/sign-in";
import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { REFRESH, WHOAMI_REQUEST } from "./mutants.ts";
import { DEVICES, expectAlive, signedIn, WHOAMI } from "./people.ts";

/** Servers of its own, which take a while to start and to start again. */
const ISOLATED = { isolated: {}, deadlineMs: 180_000 };
const UNKNOWN = { errcode: "M_UNKNOWN_TOKEN", error: "no" };

async function devicesOf(session: Session): Promise<readonly unknown[]> {
  const devices = listAt(ok(await session.get(DEVICES)), "devices");
  return devices.map((device) => at(device, "device_id")).sort();
}

/** The session goes on, by its access token or by another one. */
async function expectGoesOn(
  world: World,
  { session, person, ...rest }: Awaited<ReturnType<typeof signedIn>>,
): Promise<Session> {
  const response = await session.get(WHOAMI);
  if (response.status === 200) return session;
  world.note(`the access token is answered with ${response.status}, so it was refreshed`);
  const refreshed: Pick<OAuthSession, "client" | "refreshToken"> = rest;
  const accessToken = String(at(ok(await refresh(refreshed)), "access_token"));
  const renewed = world.session("hs1", person, { accessToken, deviceId: session.deviceId });
  await expectAlive(renewed);
  return renewed;
}

check(
  "MSC3861.user.relogin-after-restart",
  "sessions outlive restarts of the homeserver and of the authorization server",
  {
    ...ISOLATED,
    mutant: [
      {
        name: "ends them",
        rules: [
          {
            match: { ...WHOAMI_REQUEST, status: 200 },
            phase: "processed",
            action: { kind: "rewrite", status: 401, body: UNKNOWN },
          },
          {
            match: { ...REFRESH, status: 200 },
            phase: "processed",
            action: { kind: "rewrite", status: 400, body: { error: "invalid_grant" } },
          },
        ],
      },
      altersAnswer(
        "adds a device each time",
        { path: DEVICES },
        { set: { "/devices/0/device_id": "OTHER" } },
      ),
    ],
  },
  async (world) => {
    const alice = await signedIn(world);
    const fresh = await signedIn(world, "bob");
    await expectAlive(alice.session);

    for (const role of ["hs1", "as1"]) {
      await world.actOnServer(role, "restart");
      for (const each of [alice, fresh]) {
        const session = await expectGoesOn(world, each);
        expectEqual(await devicesOf(session), [session.deviceId], `devices after ${role}`);
      }
    }
  },
);

const SPLIT_MS = 8_000;
const PAUSE_MS = 400;

check(
  "MSC3861.user.outage-no-logout",
  "no client is told that it is logged out while the authorization server can not be asked",
  {
    ...ISOLATED,
    mutant: [
      altersAnswer(
        "says so of a token that it does not know yet",
        { ...WHOAMI_REQUEST, status: 503 },
        { status: 401, body: UNKNOWN },
      ),
      altersAnswer("has lost the devices", { path: DEVICES }, { set: { "/devices": [] } }),
    ],
  },
  async (world) => {
    const known = await signedIn(world);
    const fresh = await signedIn(world, "bob");
    await expectAlive(known.session);
    const split = await world.fault({ from: "hs1", to: "as1" }, "before", { kind: "reset" });
    const seen = new Set<number>();

    const end = performance.now() + SPLIT_MS;
    while (performance.now() < end) {
      for (const { session } of [known, fresh]) {
        const response = await session.get(WHOAMI);
        const isFine = response.status === 200 || response.status >= 500;
        expectThat(isFine, "200, or a status of 500 or more", response.status, response);
        seen.add(response.status);
      }
      await world.quietPeriod(PAUSE_MS);
    }
    await split.end();

    world.note(`seen during the split: ${[...seen].sort().join(", ")}`);
    for (const { session } of [known, fresh]) {
      await world.eventually(() => expectAlive(session));
      expectEqual(await devicesOf(session), [session.deviceId], "the devices");
    }
  },
);
