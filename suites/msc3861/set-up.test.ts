/** Homeservers that are set up otherwise than the rest of the suite has them: each check starts its server again. */

import { AUTH_METADATA } from "#harness/clients/oauth/metadata";
import { textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { WHOAMI_REQUEST } from "./mutants.ts";
import { expectAlive, signedIn } from "./people.ts";

/** Servers of its own, which take a while to start and to start again. */
const ISOLATED = { isolated: {}, deadlineMs: 180_000 };
/** Where MSC4108 had rendezvous sessions before MSC4388. */
const RENDEZVOUS = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous";

check(
  "MSC3861.qr.switched-on",
  "the server starts with sign-in by QR code on, and makes the sessions that it takes",
  {
    ...ISOLATED,
    mutant: altersAnswer(
      "has no sessions",
      { path: RENDEZVOUS },
      { status: 404, body: { errcode: "M_UNRECOGNIZED", error: "" } },
    ),
  },
  async (world) => {
    const { session } = await signedIn(world);

    const ended = await world.restartWith("qr-sign-in");

    expectEqual(ended, undefined, "how the server ended instead of serving");
    const headers = { "content-type": "text/plain" };
    const response = await world.anonymous().request("POST", RENDEZVOUS, { raw: "begun", headers });
    expectStatus(response, 201);
    textAt(response.json, "url");
    await expectAlive(session);
  },
);

check(
  "MSC3861.cs.service-below-path",
  "the server keeps the path of its authorization server's address in all that it asks there",
  {
    ...ISOLATED,
    mutant: [
      altersAnswer(
        "asks about tokens past the path",
        { ...WHOAMI_REQUEST, status: 200 },
        { status: 503, body: { errcode: "M_UNKNOWN", error: "" } },
      ),
      altersAnswer("finds no metadata", { path: AUTH_METADATA }, { status: 500, body: {} }),
    ],
  },
  async (world) => {
    const { session } = await signedIn(world);
    const link = { from: "hs1", to: "as1" };
    // What comes below the path goes to the service; what comes past it finds nothing.
    for (const path of ["/oauth2/**", "/.well-known/**"]) {
      await world.fault({ ...link, path }, "before", { kind: "answer", status: 404, body: {} });
    }
    const below = await world.fault({ ...link, path: "/crucible/**" }, "before", {
      kind: "rewrite",
      head: [["/crucible/", "/"]],
    });

    const ended = await world.restartWith("auth-service-below-path");

    expectEqual(ended, undefined, "how the server ended instead of serving");
    await expectAlive(session);
    ok(await world.anonymous().get(AUTH_METADATA));
    await below.end();
  },
);
