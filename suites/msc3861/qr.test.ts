import { Unsupported } from "#harness/errors";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { DEVICES, signedIn } from "./people.ts";
import {
  begin,
  beginner,
  contentOf,
  end,
  RENDEZVOUS,
  read,
  SESSION,
  tokenOf,
  write,
} from "./rendezvous.ts";

const BEGIN = { method: "POST", path: RENDEZVOUS };
const READ = { method: "GET", path: SESSION };
const GONE = { path: SESSION, status: 404 };

check(
  "MSC3861.qr.discover",
  "the server tells whether a session can be begun",
  { mutant: altersAnswer("does not tell", { method: "GET", path: RENDEZVOUS }, { body: {} }) },
  async (world) => {
    const response = await world.anonymous().get(RENDEZVOUS);

    const { status } = response;
    if (status === 404) expectMatrixError(response, 404, "M_UNRECOGNIZED");
    else if (status === 403) expectMatrixError(response, 403, "M_FORBIDDEN");
    else {
      const isAvailable = at(ok(response), "create_available");
      expectThat(typeof isAvailable === "boolean", "true or false", isAvailable, response);
    }
    world.note(`a stranger is answered with ${status}`);
  },
);

check(
  "MSC3861.qr.create",
  "the server begins a session and tells its id, token and time",
  {
    mutant: [
      altersAnswer("gives one id to all", { ...BEGIN, status: 200 }, { set: { "/id": "one" } }),
      altersAnswer("gives an id with a slash", BEGIN, { set: { "/id": "one/two" } }),
      altersAnswer("gives a number as token", BEGIN, { set: { "/sequence_token": 1 } }),
      altersAnswer("does not tell its time", BEGIN, { remove: ["/expires_in_ms"] }),
    ],
  },
  async (world) => {
    const first = await begin(await beginner(world));
    const second = await begin(await beginner(world));

    expectThat(first.id !== second.id, "two ids", first.id, second.response);
  },
);

check(
  "MSC3861.qr.create-policy",
  "a server that lets only users begin sessions lets anybody who knows one use it",
  {
    isolated: { features: ["guarded-rendezvous"] },
    mutant: [
      altersAnswer("lets anybody begin", { ...BEGIN, status: [401, 403] }, { status: 200 }),
      altersAnswer("lets only users read", READ, { status: 401 }),
      altersAnswer("lets only users write", { method: "PUT", path: SESSION }, { status: 401 }),
      altersAnswer("lets only users end", { method: "DELETE", path: SESSION }, { status: 401 }),
    ],
  },
  async (world) => {
    const anybody = world.anonymous();
    const { session: alice } = await signedIn(world);

    const refused = await anybody.post(RENDEZVOUS, { data: "begun" });
    const session = await begin(alice);
    const { data } = await contentOf(anybody, session);
    const written = await write(anybody, session, "written");
    const ended = await end(anybody, session);

    expectMatrixError(refused, [401, 403]);
    expectEqual(data, "begun", "data");
    expectStatus(written, 200);
    expectStatus(ended, 200);
  },
);

check(
  "MSC3861.qr.get",
  "anybody who knows a session reads what was written last, and how long it lives",
  {
    mutant: [
      altersAnswer("demands a token", { ...READ, status: 200 }, { status: 401 }),
      altersAnswer("keeps what it began with", READ, { set: { "/data": "begun" } }),
      altersAnswer("never counts down", READ, { set: { "/expires_in_ms": 120_000 } }),
      altersAnswer("forgets the token", READ, { remove: ["/sequence_token"] }),
    ],
  },
  async (world) => {
    const anybody = world.anonymous();
    const session = await begin(await beginner(world), "begun");

    const first = await contentOf(anybody, session);
    const written = await write(anybody, session, "written");
    const second = await contentOf(anybody, session);
    await world.eventually(async () => {
      const { expiresInMs, response } = await contentOf(anybody, session);
      const isLess = expiresInMs < second.expiresInMs;
      expectThat(isLess, `less than ${second.expiresInMs} ms`, expiresInMs, response);
    });

    expectEqual(first.data, "begun", "data before a write", first.response);
    expectEqual(first.token, session.token, "token before a write", first.response);
    expectEqual(second.data, "written", "data after it", second.response);
    expectEqual(second.token, tokenOf(written), "token after it", second.response);
    if (second.expiresInMs > first.expiresInMs) world.note("a write extends the session");
  },
);

check(
  "MSC3861.qr.delete",
  "a session that was ended is gone",
  {
    mutant: [
      claims("keeps it", { method: "DELETE", path: SESSION }, {}),
      altersAnswer("answers M_UNKNOWN", GONE, { set: { "/errcode": "M_UNKNOWN" } }),
      altersAnswer("ends it twice", { ...GONE, method: "DELETE" }, { status: 200, body: {} }),
    ],
  },
  async (world) => {
    const anybody = world.anonymous();
    const session = await begin(await beginner(world));

    const ended = await end(anybody, session);

    expectStatus(ended, 200);
    expectMatrixError(await read(anybody, session), 404, "M_NOT_FOUND");
    expectMatrixError(await write(anybody, session, "late"), 404, "M_NOT_FOUND");
    expectMatrixError(await end(anybody, session), 404, "M_NOT_FOUND");
  },
);

/** MSC4388 lets none live longer; what does is not waited for. */
const LIVES_AT_MOST_MS = 300_000;
const LIVES_AT_LEAST_MS = 120_000;
/** The answer was some time on its way, and clocks are read at different moments. */
const LEEWAY_MS = 5_000;

check(
  "MSC3861.qr.expiry",
  "a session is gone once its time is over",
  {
    deadlineMs: LIVES_AT_MOST_MS + 60_000,
    mutant: altersAnswer("keeps it", GONE, {
      status: 200,
      body: { data: "begun", sequence_token: "kept", expires_in_ms: 1 },
    }),
  },
  async (world) => {
    const anybody = world.anonymous();
    const session = await begin(await beginner(world));
    const { expiresInMs } = session;
    if (expiresInMs > LIVES_AT_MOST_MS)
      throw new Unsupported("rendezvous", `a session lives ${expiresInMs} ms, see qr.expiry-range`);

    const before = await contentOf(anybody, session);
    await world.quietPeriod(expiresInMs + LEEWAY_MS);
    const late = [
      await read(anybody, session),
      await write(anybody, { ...session, token: before.token }, "late"),
    ];

    expectEqual(before.data, "begun", "data before", before.response);
    for (const response of late) expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

check(
  "MSC3861.qr.expiry-range",
  "a session lives for two to five minutes",
  {
    mutant: [
      altersAnswer("gives half a minute", BEGIN, { set: { "/expires_in_ms": 30_000 } }),
      altersAnswer("gives an hour", BEGIN, { set: { "/expires_in_ms": 3_600_000 } }),
    ],
  },
  async (world) => {
    const { expiresInMs, response } = await begin(await beginner(world));

    const isInRange =
      expiresInMs >= LIVES_AT_LEAST_MS - LEEWAY_MS && expiresInMs <= LIVES_AT_MOST_MS;
    expectThat(isInRange, "115000 to 300000 ms", expiresInMs, response);
    world.note(`a session lives ${expiresInMs} ms`);
  },
);

/** What browsers say of a request that would show its answer as a page, and of one that a script makes. */
const NAVIGATES = {
  "sec-fetch-mode": "navigate",
  "sec-fetch-dest": "document",
  "sec-fetch-site": "cross-site",
  "sec-fetch-user": "?1",
};
const FETCHES = {
  "sec-fetch-mode": "cors",
  "sec-fetch-dest": "empty",
  "sec-fetch-site": "cross-site",
};

check(
  "MSC3861.qr.unsafe-content",
  "nobody can be sent to a page that shows what is in a session",
  {
    mutant: [
      altersAnswer("shows it", { ...READ, status: 403 }, { status: 200 }),
      altersAnswer("refuses scripts too", { ...READ, status: 200 }, { status: 403 }),
    ],
  },
  async (world) => {
    const anybody = world.anonymous();
    const { id } = await begin(await beginner(world));
    const target = `${RENDEZVOUS}/${id}`;

    const navigated = await anybody.request("GET", target, { headers: NAVIGATES });
    const fetched = await anybody.request("GET", target, { headers: FETCHES });

    expectMatrixError(navigated, 403, "M_FORBIDDEN");
    expectEqual(at(ok(fetched), "data"), "begun", "data for a script", fetched);
  },
);

const BURST = 20;
const BURSTS_AT_MOST = 15;

check(
  "MSC3861.qr.rate-limit",
  "the server slows down who begins sessions without end",
  {
    isolated: { features: ["rate-limits"] },
    mutant: altersAnswer("takes them all", { ...BEGIN, status: 429 }, { status: 200 }),
  },
  async (world) => {
    const client = await beginner(world);
    const first = await begin(client);

    let refused = await client.post(RENDEZVOUS, { data: "more" });
    for (let burst = 0; burst < BURSTS_AT_MOST && refused.status === 200; burst++) {
      const more = Array.from({ length: BURST }, () => client.post(RENDEZVOUS, { data: "more" }));
      const answers = await Promise.all(more);
      refused = answers.find(({ status }) => status !== 200) ?? refused;
    }

    const { status } = await read(world.anonymous(), first);
    world.note(`the first session is then answered with ${status}`);
    expectMatrixError(refused, 429, "M_LIMIT_EXCEEDED");
  },
);

check(
  "MSC3861.qr.device-id-uniqueness",
  "a client finds out whether its user has a device of some id",
  {
    mutant: [
      altersAnswer(
        "knows any",
        { method: "GET", path: `${DEVICES}/*`, status: 404 },
        { status: 200, body: { device_id: "claimed" } },
      ),
      altersAnswer(
        "knows none",
        { method: "GET", path: `${DEVICES}/*`, status: 200 },
        {
          status: 404,
          body: { errcode: "M_NOT_FOUND", error: "no" },
        },
      ),
    ],
  },
  async (world) => {
    const { session } = await signedIn(world);

    const used = await session.get(path`/_matrix/client/v3/devices/${session.deviceId}`);
    const free = await session.get(path`/_matrix/client/v3/devices/${world.name("FREE")}`);

    expectEqual(at(ok(used), "device_id"), session.deviceId, "the device", used);
    expectMatrixError(free, 404, "M_NOT_FOUND");
  },
);
