import { refresh } from "#harness/clients/oauth/sign-in";
import { check } from "#harness/world/check";
import { expectThat, ok } from "#harness/world/expect";
import { REFRESH } from "./mutants.ts";
import { answerOf, signedIn } from "./people.ts";

check(
  "MSC3861.refresh.outage-5xx",
  "an authorization server that is away does not tell clients that their session has ended",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: [
      {
        name: "says so while it is away",
        rules: [
          {
            match: REFRESH,
            phase: "before",
            action: { kind: "answer", status: 400, body: { error: "invalid_grant" } },
            times: 1,
          },
        ],
      },
    ],
  },
  async (world) => {
    const session = await signedIn(world);
    await world.actOnServer("as1", "stop");

    const during = await answerOf(refresh(session));

    await world.actOnServer("as1", "start");
    const isTrouble = during === undefined || during.status >= 500 || during.status === 429;
    expectThat(isTrouble, "no answer, 429, or a status of 500 or more", during?.status, during);
    world.note(`the refresh got ${during?.status ?? "no answer"}`);
    ok(await refresh(session));
  },
);
