/** What servers advertise: MSC4140 and MSC4143 §Unstable prefix. */
import {
  DELAYED_EVENTS_FLAG as DELAYED,
  STABLE,
  UNSTABLE,
} from "#harness/clients/rtc/delayed-events";
import { Unsupported } from "#harness/errors";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { flagsOf, VERSIONS } from "./delayed.ts";
import { TRANSPORT_PATHS } from "./transports.ts";

const ANSWER = { method: "GET", path: VERSIONS };
const FLAGS = [DELAYED, `${DELAYED}.stable`].map((flag) => `/unstable_features/${flag}`);
const TRANSPORTS = "org.matrix.msc4143";

/** True when the server knows the path. */
async function isServed(session: Session, target: string): Promise<boolean> {
  const { status, json } = await session.get(target);
  return status !== 405 && at(json, "errcode") !== "M_UNRECOGNIZED";
}

check(
  "MSC4140.versions.flag",
  "a server that has delayed events says so",
  {
    mutant: [
      altersAnswer("keeps it to itself", ANSWER, { remove: FLAGS }),
      altersAnswer("denies it", ANSWER, {
        set: Object.fromEntries(FLAGS.map((flag) => [flag, false])),
      }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const paths = [STABLE, UNSTABLE].map(({ events }) => `${events}/unknown`);

    const served = await Promise.all(paths.map((target) => isServed(alice, target)));
    const flags = await flagsOf(alice);

    if (!served.includes(true)) throw new Unsupported("delayed-events", "no path of them is known");
    const isSaid = flags.has(DELAYED) || flags.has(`${DELAYED}.stable`);
    const flag = `${DELAYED} or ${DELAYED}.stable among the unstable features`;
    expectThat(isSaid, flag, [...flags].join(", "));
  },
);

check(
  "MSC4140.versions.flag-disabled",
  "a server on which nobody may schedule does not say that it has delayed events",
  {
    isolated: { features: ["no-delayed-events"] },
    mutant: altersAnswer("says so", ANSWER, {
      set: Object.fromEntries(FLAGS.map((flag) => [flag, true])),
    }),
  },
  async (world) => {
    const alice = await world.user("alice");

    const flags = await flagsOf(alice);

    const told = [DELAYED, `${DELAYED}.stable`].filter((flag) => flags.has(flag));
    expectEqual(told, [], "flags of delayed events that are true");
  },
);

check(
  "MSC4140.versions.stable",
  "the server says that it serves the stable paths of delayed events if it does",
  {
    // Of two equal keys the later one counts.
    mutant: altersAnswer("says the contrary", ANSWER, {
      replace: [
        [`"${DELAYED}.stable":true`, `"${DELAYED}.stable":false`],
        ['"unstable_features":{', `"unstable_features":{"${DELAYED}.stable":true,`],
      ],
    }),
  },
  async (world) => {
    const alice = await world.user("alice");

    const served = await isServed(alice, `${STABLE.events}/unknown`);
    const flags = await flagsOf(alice);

    expectEqual(flags.has(`${DELAYED}.stable`), served, `the flag ${DELAYED}.stable`);
  },
);

check(
  "MSC4143.versions.flag",
  "a server that says it tells transports of calls serves their path",
  {
    mutant: altersAnswer(
      "does not know the path",
      { method: "GET", path: "/_matrix/client/**/rtc/transports" },
      { status: 404, body: { errcode: "M_UNRECOGNIZED", error: "" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");

    const flags = await flagsOf(alice);
    const claimed = [
      [`${TRANSPORTS}.stable`, TRANSPORT_PATHS.stable],
      [TRANSPORTS, TRANSPORT_PATHS.unstable],
    ] as const;
    let claims = 0;
    for (const [flag, target] of claimed) {
      const served = await isServed(alice, target);
      if (served && !flags.has(flag)) world.note(`${target} is served without the flag ${flag}`);
      if (!flags.has(flag)) continue;
      claims++;
      expectEqual(served, true, `${target}, which ${flag} announces, to be served`);
    }
    if (claims === 0) throw new Unsupported("rtc-transports", "no flag of theirs is set");
  },
);
