import {
  authClient,
  codeFor,
  deviceName,
  exchange,
  type OAuthSession,
  type Person,
  refresh,
  sessionOf,
  signIn,
} from "#harness/clients/oauth/sign-in";
import type { RuleAction } from "#harness/gateway/rule";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { EXCHANGE, REFRESH, WHOAMI_REQUEST } from "./mutants.ts";
import { answerOf, DEVICES, expectAlive, signedIn, WHOAMI } from "./people.ts";

const ISOLATED = { isolated: {}, deadlineMs: 180_000 };
const AGAIN = { x_again: "1" };

const LOSES_THE_DEVICE = altersAnswer(
  "has a session without a device",
  { method: "GET", path: DEVICES },
  { body: { devices: [] } },
);
const KEEPS_A_DEVICE = altersAnswer(
  "has a device without a session",
  { method: "GET", path: DEVICES },
  { replace: [['"devices":[', '"devices":[{"device_id":"GHOST"},']] },
);
const SAYS_LOGGED_OUT = altersAnswer(
  "tells a client that it is logged out",
  { ...WHOAMI_REQUEST, status: [500, 502, 503, 504] },
  { status: 401, body: { errcode: "M_UNKNOWN_TOKEN", error: "no" } },
);
const ENDS_SESSIONS = altersAnswer(
  "calls refresh tokens invalid after trouble",
  { ...REFRESH, contains: "x_again=1" },
  { status: 400, body: { error: "invalid_grant" } },
);

/** Each live session has its device, and each device a live session. */
async function expectCoherent(world: World, session: OAuthSession, person: Person): Promise<void> {
  const { accounts } = world.auth();
  await world.eventually(
    async () => {
      const live = await accounts.sessions(person.localpart);
      const response = await session.session.get(DEVICES);
      const { devices } = ok(response);
      const known = Array.isArray(devices) ? devices.map((each) => at(each, "device_id")) : [];
      expectEqual(
        known.toSorted(),
        live.map(({ deviceId }) => deviceId).toSorted(),
        "devices, beside the sessions",
        response,
      );
    },
    { deadlineMs: 30_000 },
  );
}

/** The client refreshes, and is not told that its session has ended. The homeserver has not seen the new token. */
async function renew(world: World, session: OAuthSession, person: Person): Promise<OAuthSession> {
  const response = await refresh(session, AGAIN);
  if (at(response.json, "error") === "invalid_grant")
    fail("a refresh after the trouble", "invalid_grant", response);
  return sessionOf(world, person, session, response);
}

/** The client goes on after trouble. */
async function expectRecovered(world: World, session: OAuthSession, person: Person) {
  const renewed = await renew(world, session, person);
  await expectAlive(renewed.session);
  return renewed;
}

/** A code whose exchange was interrupted is redeemed again, or the person signs in again. */
async function exchangeAgain(
  world: World,
  person: Person,
  grant: Awaited<ReturnType<typeof codeFor>>,
): Promise<OAuthSession> {
  const response = await exchange(grant, AGAIN);
  world.note(`the code that comes again gets ${response.status}`);
  if (response.status === 400 && at(response.json, "error") === "invalid_grant")
    return await signIn(world, person, { scope: grant.parameters.scope ?? "" });
  const scope = grant.parameters.scope ?? "";
  return sessionOf(world, person, { client: grant.client, scope }, response);
}

/** @param phase of what the authorization server tells the homeserver of the new device */
async function killedInExchange(world: World, phase: "before" | "processed"): Promise<void> {
  const older = await signedIn(world);
  const deviceId = deviceName(world);
  const grant = await codeFor(world, older.person, { deviceId });
  const match = { from: "as1", to: "hs1", contains: deviceId };
  const gate = await world.fault(match, phase, { kind: "gate" }, 1);

  const interrupted = answerOf(exchange(grant));
  await world.eventually(
    async () => {
      const fired = await gate.fired();
      expectThat(fired > 0, "the device being made", fired);
    },
    { deadlineMs: 30_000 },
  );
  await world.actOnServer("as1", "kill");
  await gate.end();
  const lost = await interrupted;
  await world.actOnServer("as1", "restart");

  expectThat(lost?.status !== 200, "no tokens of an exchange that broke off", lost?.status, lost);
  const renewed = await expectRecovered(world, older, older.person);
  await expectCoherent(world, renewed, older.person);
  const again = await exchangeAgain(world, older.person, grant);
  await expectAlive(again.session);
  await expectCoherent(world, again, older.person);
}

const KILLED = { ...ISOLATED, mutant: [LOSES_THE_DEVICE, KEEPS_A_DEVICE, ENDS_SESSIONS] };

check(
  "MSC3861.chaos.killed-in-exchange",
  "an authorization server that dies before the device is made leaves nothing half done",
  KILLED,
  (world) => killedInExchange(world, "before"),
);

check(
  "MSC3861.chaos.killed-in-exchange",
  "an authorization server that dies when the device is made leaves nothing half done",
  KILLED,
  (world) => killedInExchange(world, "processed"),
);

check(
  "MSC3861.chaos.homeserver-killed",
  "a homeserver that dies while a user is provisioned costs no session",
  { ...ISOLATED, mutant: [LOSES_THE_DEVICE, KEEPS_A_DEVICE, ENDS_SESSIONS] },
  async (world) => {
    const older = await signedIn(world);
    const { person } = older;
    const grant = await codeFor(world, person);
    const match = { from: "as1", to: "hs1", contains: person.localpart };
    const kill = await world.fault(match, "before", { kind: "kill" }, 1);

    const interrupted = await answerOf(exchange(grant));
    await kill.end();
    await world.actOnServer("hs1", "restart");

    const status = interrupted?.status ?? 0;
    expectThat(status !== 200, "no tokens while the homeserver is away", status, interrupted);
    world.note(`the exchange got ${interrupted?.status ?? "no answer"}`);
    const isGrant = at(interrupted?.json, "error") === "invalid_grant";
    expectThat(!isGrant, "no invalid_grant for trouble of the homeserver", "invalid_grant");
    const again = await exchangeAgain(world, person, grant);
    await expectAlive(again.session);
    const renewed = await expectRecovered(world, older, person);
    await expectCoherent(world, renewed, person);
  },
);

check(
  "MSC3861.chaos.down-at-boot",
  "a homeserver that starts without its authorization server logs nobody out",
  { ...ISOLATED, mutant: [SAYS_LOGGED_OUT, ENDS_SESSIONS] },
  async (world) => {
    const session = await signedIn(world);
    await world.actOnServer("as1", "stop");
    await world.actOnServer("hs1", "restart");

    const during = await session.session.get(WHOAMI);
    const metadata = await world.anonymous().get("/_matrix/client/v1/auth_metadata");
    const versions = await world.anonymous().get("/_matrix/client/versions");
    await world.actOnServer("as1", "start");

    world.note(`without it auth_metadata is answered with ${metadata.status}`);
    ok(versions);
    expectThat(during.status >= 500, "a status of 500 or more", during.status, during);
    await world.eventually(() => expectAlive(session.session), { deadlineMs: 30_000 });
    const renewed = await expectRecovered(world, session, session.person);
    await expectCoherent(world, renewed, session.person);
    await authClient(world);
  },
);

const TROUBLES: readonly { readonly name: string; readonly action: RuleAction }[] = [
  { name: "cut", action: { kind: "reset" } },
  { name: "slow", action: { kind: "delay", ms: 3_000 } },
  { name: "500", action: { kind: "answer", status: 500, body: { error: "server_error" } } },
  { name: "503 page", action: { kind: "answer", status: 503, text: "<html>down</html>" } },
  { name: "not there", action: { kind: "answer", status: 404, body: { error: "not_found" } } },
];

check(
  "MSC3861.chaos.link-trouble",
  "no trouble on the link to the authorization server logs a client out",
  { ...ISOLATED, mutant: [SAYS_LOGGED_OUT, ENDS_SESSIONS, LOSES_THE_DEVICE] },
  async (world) => {
    const person = await world.account("alice");
    let session = await signIn(world, person);

    for (const { name, action } of TROUBLES) {
      session = await renew(world, session, person);
      const trouble = await world.fault({ from: "hs1", to: "as1" }, "before", action);
      const response = await session.session.get(WHOAMI);
      await trouble.end();
      world.note(`${name}: ${response.status}`);
      const isFair = response.status === 200 || response.status >= 500;
      expectThat(
        isFair,
        `200, or 500 or more, while the link is ${name}`,
        response.status,
        response,
      );
      await world.eventually(() => expectAlive(session.session));
    }

    await expectCoherent(world, session, person);
  },
);

const CLIENTS = 4;
const KILLS = 2;

check(
  "MSC3861.chaos.refresh-through-kills",
  "clients that refresh while the authorization server dies keep their sessions",
  {
    ...ISOLATED,
    mutant: [
      ENDS_SESSIONS,
      LOSES_THE_DEVICE,
      altersAnswer("gives tokens that nobody knows", EXCHANGE, {
        set: { "/refresh_token": "claimed-refresh-token" },
      }),
    ],
  },
  async (world) => {
    const person = await world.account("alice");
    let isOver = false;
    let unanswered = 0;
    const live = async (begun: OAuthSession) => {
      let session = begun;
      for (let last = false; !last; ) {
        last = isOver;
        const response = await answerOf(refresh(session, AGAIN));
        if (response?.status === 200) session = sessionOf(world, person, session, response);
        else if (response === undefined || response.status >= 500) {
          unanswered++;
          last = false;
          await world.quietPeriod(100);
        } else fail("a refresh, or trouble", `status ${response.status}`, response);
      }
      return session;
    };
    const begun: OAuthSession[] = [];
    while (begun.length < CLIENTS) begun.push(await signIn(world, person));
    const clients = Promise.all(begun.map(live));
    // Whatever becomes of the clients, the server comes back.
    const chaos = (async () => {
      for (let kill = 0; kill < KILLS; kill++) {
        await world.quietPeriod(2_000);
        await world.actOnServer("as1", "kill");
        await world.actOnServer("as1", "restart");
      }
      isOver = true;
    })();

    const [sessions] = await Promise.all([clients, chaos]);

    world.note(`${unanswered} refreshes found nobody and were repeated`);
    for (const { session } of sessions) await expectAlive(session);
    const [first] = sessions;
    if (first !== undefined) await expectCoherent(world, first, person);
  },
);
