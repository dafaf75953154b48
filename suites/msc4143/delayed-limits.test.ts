/** What the server refuses to schedule: MSC4140 §Scheduling a delayed event, §Delayed event limits as a capability. */
import { OLDER } from "#harness/clients/rtc/delayed-events";
import { Unsupported } from "#harness/errors";
import type { JsonValue } from "#harness/gateway/rule";
import type { HttpResponse } from "#harness/http/client";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  delayedEvents,
  expectMarksOnceOvertaken,
  FAR_MS,
  limitsOf,
  marksIn,
  message,
  PATIENT,
  type Scene,
  scene,
} from "./delayed.ts";
import { altersScheduled, claimsScheduling, SENDS_MORE } from "./delayed-mutants.ts";

const CAPABILITIES = { method: "GET", path: "/_matrix/client/v3/capabilities" };
/** Of the merged text, and under the unstable prefix; pointers into one that is not there do nothing. */
const NAMES = ["m.delayed_events", "org.matrix.msc4140.delayed_events"];
/** A limit above it is not tried out. */
const MAX_TRIED = 500;
/** What a server without a limit has to take. */
const TEN_YEARS_MS = 10 * 365 * 86_400_000;
const TOO_LARGE = ["M_DELAY_TOO_LARGE", "ORG.MATRIX.MSC4140_DELAY_TOO_LARGE"];

/** A delay above the maximum is refused so; what earlier revisions answer is noted. */
function expectTooLarge(world: World, response: HttpResponse): void {
  const code = expectMatrixError(response, [400, 403]);
  const isOlder =
    (response.status === 403 && code === "M_FORBIDDEN") ||
    (response.status === 400 && code === "M_MAX_DELAY_EXCEEDED");
  if (isOlder) world.note(`${response.status} ${code}, as an earlier revision has it`);
  else expectMatrixError(response, 400, TOO_LARGE);
}

/** Schedules so many, none of which comes due while a check looks; returns their delay ids. */
async function fill({ delayed, alice, roomId }: Scene, count: number): Promise<readonly string[]> {
  const ids = [];
  for (let index = 0; index < count; index++)
    ids.push(await delayed.scheduled(alice, roomId, message(`${index}`, FAR_MS + index)));
  return ids;
}

/** The capability says something else than the server does. */
function advertises(name: string, field: string, value: JsonValue): Mutant {
  const pointers = NAMES.map((capability) => `/capabilities/${capability}/${field}`);
  const set = Object.fromEntries(pointers.map((pointer) => [pointer, value]));
  return altersAnswer(name, CAPABILITIES, { set });
}

/** @param field of the capability; the whole of it unless given */
function hides(name: string, field = ""): Mutant {
  const remove = NAMES.map((capability) => `/capabilities/${capability}${field}`);
  return altersAnswer(name, CAPABILITIES, { remove });
}

async function maxDelayOf({ alice }: Scene): Promise<number> {
  const max = (await limitsOf(alice))?.maxDelayMs;
  if (typeof max !== "number") throw new Unsupported("a longest delay", "no capability names one");
  return max;
}

async function maxScheduledOf({ alice }: Scene): Promise<number> {
  const max = (await limitsOf(alice))?.maxScheduled;
  if (typeof max !== "number") throw new Unsupported("a limit of delayed events", "none is named");
  if (max > MAX_TRIED)
    throw new Unsupported("a limit that can be tried out", `up to ${max} events are allowed`);
  return max;
}

check(
  "MSC4140.capability",
  "the server advertises the longest delay that it takes",
  {
    mutant: [
      advertises("advertises more", "max_delay_ms", 1e14),
      advertises("advertises a text", "max_delay_ms", "24h"),
      hides("advertises none", "/max_delay_ms"),
      hides("has no capability"),
      altersScheduled("refuses all", {
        status: 400,
        body: { errcode: TOO_LARGE[0] ?? "", error: "" },
      }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);

    const max = (await limitsOf(alice))?.maxDelayMs;
    const isLimit = max === undefined || (Number.isInteger(max) && Number(max) > 0);
    expectThat(isLimit, "max_delay_ms to be a positive whole number, or absent", max);
    const longest = max === undefined ? TEN_YEARS_MS : Number(max);

    ok(await delayed.schedule(alice, roomId, message("longest", longest)));
    if (max === undefined) world.note("no longest delay is advertised");
  },
);

check(
  "MSC4140.capability",
  "the server advertises how many delayed events a user may have",
  {
    mutant: [
      advertises("advertises more", "max_scheduled", 300),
      advertises("advertises a text", "max_scheduled", "100"),
      hides("advertises none", "/max_scheduled"),
    ],
  },
  async (world) => {
    const here = await scene(world);

    const max = (await limitsOf(here.alice))?.maxScheduled;
    const isLimit = max === undefined || (Number.isInteger(max) && Number(max) > 0);
    expectThat(isLimit, "max_scheduled to be a positive whole number, or absent", max);
    if (Number(max) > MAX_TRIED) world.note(`of ${max} only ${MAX_TRIED} are tried out`);

    await fill(here, Math.min(Number(max ?? MAX_TRIED), MAX_TRIED));
  },
);

check(
  "MSC4140.schedule.max-delay",
  "the server refuses a delay above its maximum, and takes the maximum itself",
  {
    mutant: [
      altersScheduled("cuts the delay", { status: 200, body: { delay_id: "cut" } }, 400),
      altersScheduled("breaks", { status: 500 }, 400),
      altersScheduled("calls it another error", { set: { "/errcode": "M_UNKNOWN" } }, 400),
      altersScheduled(
        "refuses the maximum",
        { status: 400, body: { errcode: TOO_LARGE[0] ?? "", error: "" } },
        200,
      ),
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const max = await maxDelayOf(here);

    const above = await delayed.schedule(alice, roomId, message("above", max + 1));
    const most = await delayed.schedule(alice, roomId, message("most", max));

    expectTooLarge(world, above);
    ok(most);
  },
);

const SOONEST_MS = 120_000;

check(
  "MSC4140.schedule.max-count",
  "the server refuses more delayed events than a user may have, and says when the next one goes",
  {
    mutant: [
      altersScheduled("does not say when", { headers: { "retry-after": null } }, 429),
      altersScheduled("tells the last one's time", { headers: { "retry-after": "3600" } }, 429),
      altersScheduled("calls it another error", { set: { "/errcode": "M_FORBIDDEN" } }, 429),
      altersScheduled("refuses with 400", { status: 400 }, 429),
      altersScheduled("takes them all", { status: 200, body: { delay_id: "more" } }, 429),
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const max = await maxScheduledOf(here);
    const soon = performance.now();
    await delayed.scheduled(alice, roomId, message("soonest", SOONEST_MS));
    const [one = ""] = await fill(here, max - 1);

    const asked = performance.now();
    const refused = await delayed.schedule(alice, roomId, message("too many", FAR_MS));
    const answered = performance.now();
    ok(await delayed.act(alice, one, "cancel"));
    const after = await delayed.schedule(alice, roomId, message("fits again", FAR_MS));

    expectMatrixError(refused, 429, "M_LIMIT_EXCEEDED");
    const retryAfter = Number(refused.headers["retry-after"] ?? Number.NaN);
    // The entry was made some time after `soon`, and the server looked between `asked` and `answered`.
    const least = (SOONEST_MS - (answered - soon)) / 1000 - 1;
    const most = (SOONEST_MS - (asked - soon)) / 1000 + 2;
    const isThen = retryAfter >= least && retryAfter <= most;
    const window = `Retry-After between ${least.toFixed(1)} and ${most.toFixed(1)}`;
    expectThat(isThen, window, refused.headers["retry-after"], refused);
    ok(after);
  },
);

/** Each has to be refused as an error of the request, and nothing may come of it. */
async function expectDelaysRefused(world: World, delays: readonly unknown[]): Promise<void> {
  const here = await scene(world);
  const { delayed, alice, roomId } = here;

  for (const delayMs of delays) {
    const event = { ...message("refused", 0), delayMs };
    const response = await delayed.schedule(alice, roomId, event);

    const isRefused = response.status >= 400 && response.status < 500;
    const expected = `status 4xx for a delay of ${JSON.stringify(delayMs) ?? "nothing"}`;
    expectThat(isRefused, expected, response.status, response);
    expectMatrixError(response, response.status);
  }
  await expectMarksOnceOvertaken(world, here, 0, []);
}

const TAKEN = { status: 200, body: { delay_id: "taken" } };

check(
  "MSC4140.schedule.delay-positive",
  "the server refuses a delay of zero",
  { ...PATIENT, mutant: [altersScheduled("takes it", TAKEN), SENDS_MORE] },
  (world) => expectDelaysRefused(world, [0]),
);

check(
  "MSC4140.schedule.delay-positive",
  "the server refuses delays that are no positive whole numbers",
  {
    ...PATIENT,
    mutant: [
      altersScheduled("takes any", TAKEN, 400),
      altersScheduled("breaks", { status: 500 }, 400),
      SENDS_MORE,
    ],
  },
  async (world) => {
    // Without a delay the older form sends at once, as it always did.
    const missing = delayedEvents(world).form === OLDER ? [] : [undefined];
    await expectDelaysRefused(world, [-1, 1.5, "abc", "", ...missing]);
  },
);

check(
  "MSC4140.schedule.disabled",
  "a server that allows no delayed events refuses them, and sends nothing at once",
  {
    isolated: { features: ["no-delayed-events"] },
    mutant: [
      altersScheduled("takes them", { status: 200, body: { delay_id: "taken" } }, [403, 404]),
      altersScheduled("calls it another error", { set: { "/errcode": "M_UNKNOWN" } }, [403, 404]),
      SENDS_MORE,
      claimsScheduling("breaks", 500),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);

    const response = await delayed.schedule(alice, roomId, message("no", 300));

    expectMatrixError(response, [403, 404], ["M_FORBIDDEN", "M_UNRECOGNIZED"]);
    expectEqual(await marksIn(alice, roomId), [], "the delayed events that were sent");
  },
);
