import { registerClient, WEB_CLIENT } from "#harness/clients/oauth/registration";
import { type OAuthSession, refresh, revoke, signIn } from "#harness/clients/oauth/sign-in";
import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectMatrixError, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { CLAIMS_TO_REVOKE, LEAVES_ACCESS, REFRESHES_ANYTHING, REVOKE } from "./mutants.ts";
import {
  DEVICES,
  expectAlive,
  expectOAuthError,
  expectSessionEnded,
  signedIn,
  WHOAMI,
} from "./people.ts";

const REVOKED = { ...REVOKE, status: 200 };

check(
  "MSC3861.revoke.access-token",
  "the server ends a session by its access token",
  { mutant: [CLAIMS_TO_REVOKE, REFRESHES_ANYTHING, LEAVES_ACCESS] },
  async (world) => {
    const session = await signedIn(world);
    await expectAlive(session.session);

    const response = await revoke(session);

    expectStatus(response, 200);
    await expectSessionEnded(world, session);
  },
);

check(
  "MSC3861.revoke.refresh-token",
  "the server ends a session by its refresh token",
  { mutant: [CLAIMS_TO_REVOKE, REFRESHES_ANYTHING, LEAVES_ACCESS] },
  async (world) => {
    const session = await signedIn(world);
    await expectAlive(session.session);

    const response = await revoke(session, {
      token: session.refreshToken,
      token_type_hint: "refresh_token",
    });

    expectStatus(response, 200);
    await expectSessionEnded(world, session);
  },
);

const AT_ONCE_MS = 1_000;

check(
  "MSC3861.revoke.immediate",
  "the homeserver takes a revoked token no more, whatever it has kept in mind",
  { mutant: [CLAIMS_TO_REVOKE, LEAVES_ACCESS] },
  async (world) => {
    const session = await signedIn(world);
    await expectAlive(session.session);
    await session.session.sync();
    expectStatus(await revoke(session), 200);
    const started = performance.now();
    let successes = 0;

    await world.eventually(
      async () => {
        const response = await session.session.get(WHOAMI);
        if (response.status === 200) successes++;
        expectMatrixError(response, 401, "M_UNKNOWN_TOKEN");
      },
      { deadlineMs: AT_ONCE_MS },
    );

    const tookMs = Math.round(performance.now() - started);
    world.note(`refused after ${tookMs} ms and ${successes} successes`);
  },
);

check(
  "MSC3861.revoke.unknown-200",
  "the server finds nothing wrong with tokens that are dead already",
  {
    mutant: altersAnswer("refuses them", REVOKED, {
      status: 400,
      body: { error: "invalid_request" },
    }),
  },
  async (world) => {
    const session = await signedIn(world);

    const unknown = await revoke(session, { token: world.name("unknown-access-token") });
    const first = await revoke(session);
    const second = await revoke(session);

    for (const response of [unknown, first, second]) expectStatus(response, 200);
  },
);

check(
  "MSC3861.revoke.no-client-id",
  "the server revokes without being told the client",
  {
    mutant: [
      CLAIMS_TO_REVOKE,
      altersAnswer("asks for the client", REVOKED, {
        status: 400,
        body: { error: "invalid_request" },
      }),
    ],
  },
  async (world) => {
    const session = await signedIn(world);
    const { accessToken: token, client } = session;

    const response = await client.auth.revoke({ token_type_hint: "access_token", token });

    expectStatus(response, 200);
    await expectSessionEnded(world, session);
  },
);

check(
  "MSC3861.revoke.wrong-client-id",
  "the server revokes for another client, or refuses and leaves the session alive",
  { mutant: CLAIMS_TO_REVOKE },
  async (world) => {
    const session = await signedIn(world);
    const { auth } = session.client;
    const { clientId } = await registerClient(auth, { ...WEB_CLIENT, client_name: "Other" });

    const response = await revoke(session, { client_id: clientId });

    if (response.status === 401) {
      world.note("refused with 401");
      await expectAlive(session.session);
      ok(await refresh(session));
    } else {
      expectStatus(response, 200);
      await expectSessionEnded(world, session);
    }
  },
);

check(
  "MSC3861.revoke.wrong-hint",
  "the server revokes a token of the other type than the hint says",
  { mutant: CLAIMS_TO_REVOKE },
  async (world) => {
    const access = await signedIn(world);
    const byRefresh = await signedIn(world);

    const first = await revoke(access, { token_type_hint: "refresh_token" });
    const second = await revoke(byRefresh, {
      token: byRefresh.refreshToken,
      token_type_hint: "access_token",
    });

    for (const response of [first, second]) expectStatus(response, 200);
    await expectSessionEnded(world, access);
    await expectSessionEnded(world, byRefresh);
  },
);

check(
  "MSC3861.revoke.bad-hint",
  "the server ignores a hint that it does not know, or refuses it and leaves the session alive",
  { mutant: CLAIMS_TO_REVOKE },
  async (world) => {
    const session = await signedIn(world);

    const response = await revoke(session, { token_type_hint: "foo" });

    if (response.status === 200) await expectSessionEnded(world, session);
    else {
      world.note(`refused with ${expectOAuthError(response, 400)}`);
      await expectAlive(session.session);
    }
  },
);

check(
  "MSC3861.revoke.missing-token",
  "the server refuses to revoke nothing",
  {
    mutant: [
      altersAnswer(
        "breaks",
        { method: "POST", contains: "client_id=", status: 400 },
        {
          status: 500,
        },
      ),
    ],
  },
  async (world) => {
    const { client } = await signedIn(world);

    const response = await client.auth.revoke({ client_id: client.clientId });

    const code = expectOAuthError(response, 400);
    if (code !== "invalid_request") world.note(`refused with ${code}`);
  },
);

/** Whether another session of the same user lives, and is listed. */
async function expectUntouched({ session }: OAuthSession): Promise<void> {
  await expectAlive(session);
  const devices = await session.get(DEVICES);
  const ids = listAt(ok(devices), "devices").map((device) => at(device, "device_id"));
  expectThat(ids.includes(session.deviceId), "the other device listed", ids, devices);
}

check(
  "MSC3861.revoke.other-sessions",
  "the server ends no other session of the user",
  {
    mutant: [
      altersAnswer(
        "ends them all",
        { path: DEVICES },
        {
          status: 401,
          body: { errcode: "M_UNKNOWN_TOKEN", error: "no" },
        },
      ),
      altersAnswer("removes all devices", { path: DEVICES }, { set: { "/devices": [] } }),
    ],
  },
  async (world) => {
    const session = await signedIn(world);
    const other = await signIn(world, session.person);

    expectStatus(await revoke(session), 200);
    await expectSessionEnded(world, session);

    await expectUntouched(other);
    ok(await refresh(other));
  },
);
