import { API_SCOPE, deviceScope } from "#harness/clients/oauth/scopes";
import { deviceName, refresh, revoke, signIn } from "#harness/clients/oauth/sign-in";
import { HarnessError, Unsupported } from "#harness/errors";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { CLAIMS_TO_REVOKE, WHOAMI_REQUEST } from "./mutants.ts";
import { expectAlive, expectEnded, signedIn, WHOAMI } from "./people.ts";

const LOG_LINES = 1_000;
const NOBODYS_TOKEN = "unknown-access-token-of-nobody";
const REFUSED = { ...WHOAMI_REQUEST, status: 401 };
const UNKNOWN = { errcode: "M_UNKNOWN_TOKEN", error: "no" };
const TAKES_IT = altersAnswer("takes it all the same", REFUSED, { status: 200, body: {} });

/** What the homeserver asks its authorization server about a token. */
function introspection(token: string) {
  return { from: "hs1", to: "as1", method: "POST", contains: token };
}

check(
  "MSC3861.cs.unknown-token",
  "the server tells an unknown token from a missing one",
  {
    mutant: [
      TAKES_IT,
      altersAnswer("calls a missing token unknown", REFUSED, { body: UNKNOWN }),
      altersAnswer("answers 403", REFUSED, { status: 403 }),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");
    const accessToken = world.name("unknown-access-token");
    const unknown = world.session("hs1", alice, { accessToken, deviceId: "" });

    const garbage = await unknown.get(WHOAMI);
    const missing = await world.anonymous().get(WHOAMI);

    expectMatrixError(garbage, 401, "M_UNKNOWN_TOKEN");
    expectMatrixError(missing, 401, "M_MISSING_TOKEN");
  },
);

function onlyRefused(error: unknown): void {
  if (!(error instanceof HarnessError && error.code === "HS_NO_ANSWER")) throw error;
}

/** Statuses by which a homeserver takes what its authorization server tells it. */
const TAKEN = [200, 201, 204];

check(
  "MSC3861.cs.token-not-logged",
  "the server does not write down the tokens that it asks about",
  {
    isolated: {},
    deadlineMs: 120_000,
    // Servers write down answers that they can not read. Synapse 1.128 writes the token by itself: see MAS-TOKEN-IN-LOG of `crucible recall`.
    mutant: altersAnswer("writes it down", introspection(NOBODYS_TOKEN), {
      body: { active: NOBODYS_TOKEN },
    }),
  },
  async (world) => {
    const { session } = await signedIn(world);
    const accessToken = NOBODYS_TOKEN;
    const stranger = world.session("hs1", session, { accessToken, deviceId: "NONE" });

    await Promise.all([1, 2, 3].map(() => session.get(WHOAMI)));
    await expectAlive(session);
    for (let count = 0; count < 2; count++) await stranger.get(WHOAMI);
    // An orderly stop writes down what it still has to.
    await world.actOnServer("hs1", "restart");
    const lines = await world.log(LOG_LINES);

    const told = lines.filter((line) =>
      [session.accessToken, accessToken].some((token) => line.includes(token)),
    );
    expectEqual(told.length, 0, "the lines of the log with one of the tokens");
  },
);

check(
  "MSC3861.cs.shared-secret-not-user",
  "what homeserver and authorization server show each other signs no user in, and no user's token stands in for it",
  {
    mutant: [
      TAKES_IT,
      {
        name: "lets users tell it what its authorization server does",
        rules: [
          {
            match: { from: "as1", to: "hs1", method: "POST", status: [401, 403] },
            phase: "processed",
            action: { kind: "rewrite", status: 200, body: {} },
          },
        ],
      },
    ],
  },
  async (world) => {
    const auth = world.auth();
    const accessToken = auth.secret();
    const { session, person } = await signedIn(world);
    const bob = await world.account("bob");
    // What it tells of bob comes with a token of alice's, or with none.
    const told = { from: "as1", to: "hs1", method: "POST", contains: bob.localpart };
    const tells = async (authorization: string | null) => {
      const swapped = await world.rule({
        name: "swaps the secret",
        match: told,
        phase: "before",
        action: { kind: "rewrite", headers: { authorization } },
      });
      const taken = await world.rule({
        name: "counts what is taken",
        match: { ...told, status: TAKEN },
        phase: "after",
        action: { kind: "delay", ms: 0 },
      });
      // It may say that it was refused, or try again later.
      await auth.accounts.unlock(bob.localpart).catch(onlyRefused);
      const count = { sent: await swapped.fired(), taken: await taken.fired() };
      await Promise.all([swapped, taken].map((rule) => rule[Symbol.asyncDispose]()));
      return count;
    };

    const whoami = await world.session("hs1", person, { accessToken, deviceId: "" }).get(WHOAMI);
    const byUser = await tells(`Bearer ${session.accessToken}`);
    const byNobody = await tells(null);

    expectMatrixError(whoami, 401, "M_UNKNOWN_TOKEN");
    for (const { sent, taken } of [byUser, byNobody]) {
      if (sent === 0) throw new Unsupported("auth:secret", "the service told nothing of an unlock");
      expectEqual(taken, 0, "times that the homeserver took it");
    }
  },
);

check(
  "MSC3861.cs.expired-soft-logout",
  "a client whose access token has expired is asked to refresh, not to forget its keys",
  {
    mutant: altersAnswer("logs the client out for good", REFUSED, {
      set: { "/soft_logout": false },
    }),
  },
  async (world) => {
    const session = await signedIn(world);
    // As the authorization server would speak of a token that ends in a second, and then of one that has ended.
    const short = await world.fault(introspection(session.accessToken), "processed", {
      kind: "rewrite",
      set: { "/expires_in": 1 },
    });
    await expectAlive(session.session);
    await short.end();
    const over = await world.fault(introspection(session.accessToken), "processed", {
      kind: "rewrite",
      body: { active: false },
    });

    const refusal = await expectEnded(world, session.session);

    await over[Symbol.asyncDispose]();
    const body = ok(await refresh(session));
    const renewed = world.session("hs1", session.person, {
      accessToken: String(at(body, "access_token")),
      deviceId: session.session.deviceId,
    });
    await expectAlive(renewed);
    expectEqual(at(refusal.json, "soft_logout"), true, "soft_logout", refusal);
  },
);

check(
  "MSC3861.cs.revoked-hard-logout",
  "a client whose session has been ended is not told that it can log in again with its keys",
  {
    mutant: [
      altersAnswer("says that the session lives", REFUSED, { set: { "/soft_logout": true } }),
      CLAIMS_TO_REVOKE,
    ],
  },
  async (world) => {
    const session = await signedIn(world);
    await expectAlive(session.session);
    expectStatus(await revoke(session), 200);

    const refusal = await expectEnded(world, session.session);

    const soft = at(refusal.json, "soft_logout");
    expectThat(soft !== true, "soft_logout to be absent or false", soft, refusal);
  },
);

/** Of access tokens, seconds; the longer one is for a machine that is too slow for the first. */
const LIFETIMES_S = [3, 15];
const PATIENCE_MS = 5_000;

interface ShortSession {
  readonly session: Session;
  /** When its time is surely over, milliseconds from now. */
  readonly overInMs: number;
}

/** A session whose access token ends soon, with nothing to refresh it, and which the homeserver knows by now. */
async function shortSession(world: World): Promise<ShortSession> {
  const alice = await world.account("alice");
  for (const lifetimeS of LIFETIMES_S) {
    const deviceId = deviceName(world);
    const askedMs = performance.now();
    const { accessToken } = await world.auth().accounts.issueToken({
      localpart: alice.localpart,
      scope: API_SCOPE,
      deviceId,
      expiresInS: lifetimeS,
    });
    const session = world.session("hs1", alice, { accessToken, deviceId });
    const first = await session.get(WHOAMI);
    // Services count in whole seconds. A refusal that came later says nothing about the homeserver.
    const isInTime = performance.now() - askedMs < (lifetimeS - 1) * 1_000;
    if (!isInTime) continue;
    ok(first);
    return { session, overInMs: lifetimeS * 1_000 };
  }
  throw new HarnessError("DEADLINE", {
    what: `access tokens of ${LIFETIMES_S.join(" and ")} s were over before the homeserver had answered once`,
    next: "the machine has too much to do: give it less at a time",
  });
}

check(
  "MSC3861.cs.expiry-enforced-from-cache",
  "the homeserver takes a token no more once its time is over, though it knows it",
  { mutant: TAKES_IT },
  async (world) => {
    const { session, overInMs } = await shortSession(world);

    await expectEnded(world, session, overInMs + PATIENCE_MS);
  },
);

check(
  "MSC3861.cs.as-down-cached-token",
  "the homeserver takes no token beyond its time while the authorization server is away",
  {
    mutant: altersAnswer(
      "takes it",
      { ...WHOAMI_REQUEST, status: [401, 503] },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const { session, overInMs } = await shortSession(world);
    const started = performance.now();
    const away = await world.fault(introspection(session.accessToken), "before", { kind: "reset" });

    const refusal = await world.eventually(
      async () => {
        const response = await session.get(WHOAMI);
        expectThat(response.status !== 200, "a refusal", response.status, response);
        return response;
      },
      { deadlineMs: overInMs + PATIENCE_MS },
    );

    await away[Symbol.asyncDispose]();
    const livedMs = Math.round(performance.now() - started);
    world.note(`the token worked for ${livedMs} ms, then it was answered with ${refusal.status}`);
  },
);

check(
  "MSC3861.cs.inactive-not-cached-across-recovery",
  "the homeserver calls no token unknown because its authorization server fails",
  {
    mutant: [
      altersAnswer(
        "calls it unknown",
        { ...WHOAMI_REQUEST, status: 503 },
        {
          status: 401,
          body: UNKNOWN,
        },
      ),
      altersAnswer(
        "has not noticed the recovery",
        { ...WHOAMI_REQUEST, status: 200 },
        {
          status: 503,
        },
      ),
    ],
  },
  async (world) => {
    const { session, accessToken } = await signedIn(world);
    const failing = await world.fault(introspection(accessToken), "before", {
      kind: "answer",
      status: 500,
      body: { error: "server_error" },
    });

    const during = await session.get(WHOAMI);
    await failing.end();
    const after = await session.get(WHOAMI);

    const isTrouble = during.status >= 500 && during.status < 600;
    expectThat(isTrouble, "a status of 500 to 599", during.status, during);
    ok(after);
  },
);

const PROMPTLY_MS = 2_000;

check(
  "MSC3861.cs.negative-cache",
  "a token works again once its user is unlocked",
  {
    mutant: altersAnswer(
      "keeps the lock in mind",
      { ...WHOAMI_REQUEST, status: 200 },
      {
        status: 401,
        body: UNKNOWN,
      },
    ),
  },
  async (world) => {
    const { session, person } = await signedIn(world);
    const { accounts } = world.auth();
    await accounts.lock(person.localpart);
    await world.eventually(async () => {
      const response = await session.get(WHOAMI);
      expectThat(response.status !== 200, "a refusal while locked", response.status, response);
    });

    await accounts.unlock(person.localpart);

    const started = performance.now();
    await world.eventually(() => expectAlive(session), { deadlineMs: PROMPTLY_MS });
    world.note(`works again after ${Math.round(performance.now() - started)} ms`);
  },
);

check(
  "MSC3861.cs.token-transport",
  "the server takes the access token in the Authorization header",
  { mutant: altersAnswer("does not", { ...WHOAMI_REQUEST, status: 200 }, { status: 401 }) },
  async (world) => {
    const { session, accessToken } = await signedIn(world);

    const byHeader = await session.get(WHOAMI);
    const byQuery = await world.anonymous().get(WHOAMI, { access_token: accessToken });

    ok(byHeader);
    world.note(`the token in the query is answered with ${byQuery.status}`);
  },
);

check(
  "MSC3861.cs.whoami",
  "the server tells a client who it is, and that it is no guest",
  {
    mutant: [
      altersAnswer("names another user", WHOAMI_REQUEST, { set: { "/user_id": "@other:hs1" } }),
      altersAnswer("names no device", WHOAMI_REQUEST, { remove: ["/device_id"] }),
      altersAnswer("calls it a guest", WHOAMI_REQUEST, { set: { "/is_guest": true } }),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");
    const deviceId = deviceName(world);
    const { session } = await signIn(world, alice, { scope: deviceScope(deviceId) });

    const response = await session.get(WHOAMI);

    const { user_id, device_id, is_guest = false } = ok(response);
    const expected = { user_id: alice.userId, device_id: deviceId, is_guest: false };
    expectEqual({ user_id, device_id, is_guest }, expected, "who it is", response);
  },
);
