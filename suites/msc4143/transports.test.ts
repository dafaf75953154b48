/** How clients find transports: MSC4143 §Discovery of transport infrastructure, and the file of the older contract. */
import { Unsupported } from "#harness/errors";
import { createClient, type HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { entriesOf, transportsOf } from "./transports.ts";
import { expectUsersOnly } from "./users-only.ts";

const TRANSPORTS = { method: "GET", path: "/_matrix/client/**/rtc/transports" };
const WELL_KNOWN = { method: "GET", path: "/.well-known/matrix/client" };
const FOCI = "org.matrix.msc4143.rtc_foci";
/** MSC4143 §Transports: of a common namespaced identifier. */
const TYPE = /^[a-z][a-z0-9._-]{0,254}$/;

check(
  "MSC4143.transports.auth",
  "the server tells transports to users only",
  {
    mutant: [
      altersAnswer("tells all", { ...TRANSPORTS, status: 401 }, { status: 200, body: {} }),
      altersAnswer("calls it another error", TRANSPORTS, { set: { "/errcode": "M_FORBIDDEN" } }),
    ],
  },
  async (world) => {
    world.needs("rtc-transports");

    await expectUsersOnly(world, (client) => transportsOf(world, client));
  },
);

check(
  "MSC4143.transports.shape",
  "the server lists transports, each with a type",
  {
    mutant: [
      altersAnswer("gives no list", TRANSPORTS, { body: {} }),
      altersAnswer("lists texts", TRANSPORTS, { body: { transports: ["m.livekit"] } }),
      altersAnswer("lists some without a type", TRANSPORTS, { body: { transports: [{}] } }),
      altersAnswer("has types of its own grammar", TRANSPORTS, {
        body: { transports: [{ type: "Live Kit" }] },
      }),
    ],
  },
  async (world) => {
    world.needs("rtc-transports");
    const alice = await world.user("alice");

    const response = await transportsOf(world, alice);

    ok(response);
    for (const entry of entriesOf(world, response)) {
      const type = at(entry, "type");
      const isType = typeof type === "string" && TYPE.test(type);
      expectThat(isType, `a type that fits ${TYPE.source}`, entry, response);
      if (type === "livekit") world.note("the type of LiveKit is livekit, as deployed");
    }
  },
);

check(
  "MSC4143.transports.order",
  "the server lists transports in the order in which it prefers them",
  {
    isolated: { features: ["two-rtc-transports"] },
    mutant: [
      altersAnswer("turns them round", TRANSPORTS, {
        reverse: ["/transports", "/rtc_transports"],
      }),
      {
        name: "turns them round at the second time",
        rules: [
          {
            match: TRANSPORTS,
            phase: "processed",
            action: { kind: "rewrite", reverse: ["/transports", "/rtc_transports"] },
            times: 1,
          },
        ],
      },
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    for (let time = 0; time < 3; time++) {
      const response = await transportsOf(world, alice);

      const urls = entriesOf(world, response).map(serviceOf);
      const expected = ["https://first.rtc.invalid", "https://second.rtc.invalid"];
      expectEqual(urls, expected, "the services of the transports", response);
    }
  },
);

function serviceOf(entry: unknown): unknown {
  return at(entry, "livekit_service_url");
}

/** The entries of the older contract. @throws Unsupported without them. */
async function fociOf(world: World): Promise<{ entries: unknown; response: HttpResponse }> {
  const response = await world.anonymous().get(WELL_KNOWN.path);
  const entries = at(response.json, FOCI);
  if (response.status !== 200 || entries === undefined)
    throw new Unsupported("rtc_foci", "the server's well-known file has none");
  return { entries, response };
}

/** The server of the check publishes this file. */
function publishes(name: string, foci: unknown, headers: Record<string, string>): Mutant {
  const body = JSON.stringify({ "m.homeserver": { base_url: "https://hs1" }, [FOCI]: foci });
  const action = { kind: "answer", status: 200, text: body, headers } as const;
  return { name, rules: [{ match: WELL_KNOWN, phase: "before", action }] };
}

const OPEN_TO_ALL = { "access-control-allow-origin": "*", "content-type": "application/json" };
const NOWHERE = [{ type: "livekit", livekit_service_url: "http://127.0.0.1:9" }];

check(
  "RTC.legacy.wellknown-foci",
  "the services in the well-known file answer, and browsers may read it",
  {
    mutant: [
      publishes("publishes an object", {}, OPEN_TO_ALL),
      publishes("publishes a path", [{ type: "livekit", livekit_service_url: "/x" }], OPEN_TO_ALL),
      publishes("publishes a service that is not there", NOWHERE, OPEN_TO_ALL),
      publishes("lets no browser read it", [], { "content-type": "application/json" }),
    ],
  },
  async (world) => {
    const { entries, response } = await fociOf(world);

    expectThat(Array.isArray(entries), `an array under ${FOCI}`, entries, response);
    expectEqual(response.headers["access-control-allow-origin"], "*", "who may read it", response);
    for (const entry of entries) {
      if (at(entry, "type") !== "livekit") continue;
      const url = String(serviceOf(entry));
      expectThat(URL.canParse(url), "an absolute livekit_service_url", url, response);
      await expectAnswers(url.replace(/\/$/, ""));
    }
  },
);

/** No answer at all is the deployment's fault, as the file names the service. */
async function expectAnswers(base: string): Promise<void> {
  const health = await createClient({ baseUrl: base, timeoutMs: 5_000 })
    .request("GET", "/healthz")
    .catch(() => undefined);
  expectThat(health !== undefined, `an answer of ${base}/healthz`, "none");
  expectStatus(health, 200);
}

check(
  "RTC.transports.agree",
  "both ways to find services lead to the same ones",
  {
    mutant: {
      name: "has another service in its well-known file",
      rules: [
        ...publishes("", NOWHERE, OPEN_TO_ALL).rules,
        {
          match: TRANSPORTS,
          phase: "before",
          action: {
            kind: "answer",
            status: 200,
            body: { transports: [{ type: "livekit", livekit_service_url: "http://127.0.0.1:8" }] },
          },
        },
      ],
    },
  },
  async (world) => {
    world.needs("rtc-transports");
    const alice = await world.user("alice");

    const { entries, response } = await fociOf(world);
    const endpoint = await transportsOf(world, alice);
    if (!isObject(endpoint.json) || Object.keys(endpoint.json).length === 0)
      throw new Unsupported("transports", "the endpoint names none");

    const urls = (list: unknown) =>
      new Set((Array.isArray(list) ? list : []).map(serviceOf).filter((url) => url !== undefined));
    const there = urls(entriesOf(world, endpoint));
    expectEqual(urls(entries), there, "the services in the well-known file", response);
  },
);
