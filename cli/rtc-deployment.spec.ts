/** The embedded RTC authorization service beside a real Synapse; also an SFU, when CRUCIBLE_TEST_SFU names one. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeploymentForSpecs } from "./deployment-for-specs.ts";

const { CRUCIBLE_TEST_SFU: sfu } = process.env;
const TOKEN = "/_matrix/client/v1/rtc/livekit/get_token";

let servers: DeploymentForSpecs;

beforeAll(async () => {
  const given = { rtcAuth: "embedded", ...(sfu === undefined ? {} : { sfu }) };
  servers = await DeploymentForSpecs.start("one", given);
}, 300_000);

afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

const world = () => servers.world("MSC4195.token.local");

async function joined() {
  const here = world();
  const alice = await here.user("alice");
  const room_id = await alice.createRoom();
  const body = { url: here.rtc().websocketUrl, room_id, slot_id: "m.call#ROOM", member_id: "m" };
  return { here, alice, ask: () => alice.post(TOKEN, body) };
}

test("brings both ways to a token, and a transport that is announced", async () => {
  const { features } = servers.deployment;
  expect(features).toEqual(
    expect.arrayContaining(["rtc-auth", "rtc-token", "rtc-token:stable", "rtc-transports"]),
  );
  expect(features.includes("sfu")).toBe(sfu !== undefined);
  await using here = world();
  const alice = await here.user("alice");
  const { base, websocketUrl } = here.rtc();
  const transports = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";
  expect((await alice.get(transports)).json).toMatchObject({
    rtc_transports: [
      { type: "livekit", url: websocketUrl, livekit_service_url: base.replace(/\/$/, "") },
    ],
  });
});

test("hands requests to the service by the gateway, where rules reach them", async () => {
  const { here, ask } = await joined();
  await using _ = here;
  expect((await ask()).status).toBe(200);
  await here.rule({
    name: "refuses",
    match: { from: "hs1", to: "rtc1", method: "POST" },
    phase: "before",
    action: { kind: "answer", status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
  });
  expect((await ask()).status).toBe(403);
});

test("outlives the death of the service", async () => {
  const { here, ask } = await joined();
  await using _ = here;
  await here.actOnServer("rtc1", "kill");
  expect((await ask()).status).toBeGreaterThanOrEqual(500);
  await here.actOnServer("rtc1", "restart");
  expect((await ask()).status).toBe(200);
});

test("starts a service again that ends by itself, and tells so", async () => {
  const { here, ask } = await joined();
  await using _ = here;
  const since = Date.now();
  const [pid = 0] = servers.processesOf("main-rtc1");
  process.kill(pid, "SIGKILL");
  await expect.poll(async () => (await ask()).status, { timeout: 20_000 }).toBe(200);
  expect(await servers.pool.control.serviceOutages(servers.deployment.id, since)).toEqual([
    "rtc1 ended by itself: SIGKILL",
  ]);
});

test.runIf(sfu !== undefined)("shows the SFU's rooms, and stops it as others are", async () => {
  const { here, ask } = await joined();
  await using _ = here;
  expect((await ask()).status).toBe(200);
  expect(await here.sfu().rooms()).not.toEqual([]);
  await here.actOnServer("sfu1", "stop");
  expect((await ask()).status).toBe(500);
  await here.actOnServer("sfu1", "start");
  expect((await ask()).status).toBe(200);
});

test("leaves no process or folder, and no secret in traces and logs", async () => {
  const folder = path.join(servers.folder, "main-rtc1");
  const settings = JSON.parse(readFileSync(path.join(folder, "settings.json"), "utf8"));
  const secrets = [
    settings.sfu.apiSecret,
    settings.registration.asToken,
    settings.registration.hsToken,
  ];
  const written = [servers.traceFile, ...logsOf(path.dirname(servers.traceFile))].map((file) =>
    readFileSync(file, "utf8"),
  );
  expect(written[0]).toContain("/rtc/livekit/get_token");
  for (const text of written) {
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/eyJ[\w-]{10,}\.eyJ/);
  }
  expect(servers.processesOf("main-rtc1")).not.toEqual([]);
  await servers[Symbol.asyncDispose]();
  expect(existsSync(folder)).toBe(false);
  expect(servers.processesOf("main-rtc1")).toEqual([]);
  expect(servers.processesOf("main-sfu1")).toEqual([]);
});

function logsOf(folder: string): readonly string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".log"));
  return names.map((name) => path.join(folder, name));
}
