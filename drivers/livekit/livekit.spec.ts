/** The contract of a real LiveKit: the one that CRUCIBLE_TEST_SFU names, as `--sfu` does (`livekit` builds it). */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  AccessToken,
  RoomServiceClient,
  type VideoGrant,
  WebhookReceiver,
} from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseServerSpec } from "#harness/config/driver-spec";
import type { RunningSfu } from "#harness/deployment/rtc-contract";
import { createClient } from "#harness/http/client";
import { livekit } from "./index.ts";
import { given, startGiven } from "./livekit-for-specs.ts";

test.skipIf(given !== undefined)("waits for an SFU to be named", ({ skip }) => {
  skip("CRUCIBLE_TEST_SFU names none: livekit, process:livekit=<livekit-server>, docker:<image>");
});

describe.runIf(given !== undefined)(`${given}`, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-livekit-"));
  const workFolder = path.join(folder, "sfu1");
  const logFile = path.join(folder, "sfu1.log");
  const told: { authorization: string; body: string }[] = [];
  const pids: number[] = [];
  const onUnexpectedExit = vi.fn();
  const listener = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { authorization = "" } = request.headers;
    told.push({ authorization, body: Buffer.concat(chunks).toString() });
    response.end();
  });
  let sfu: RunningSfu;

  beforeAll(async () => {
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    sfu = await startGiven({
      workFolder,
      logFile,
      registerProcess: (pid) => pids.push(pid),
      onUnexpectedExit,
      webhookUrl: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/sfu_webhook`,
    });
  });

  afterAll(async () => {
    await sfu?.[Symbol.asyncDispose]();
    listener.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const url = () => sfu.access.websocketUrl.replace(/^ws/, "http");
  const admin = () => new RoomServiceClient(url(), sfu.access.apiKey, sfu.access.apiSecret);
  const tokenFor = (grant: VideoGrant) => {
    const token = new AccessToken(sfu.access.apiKey, sfu.access.apiSecret, { identity: "alice" });
    token.addGrant({ roomJoin: true, ...grant });
    return token.toJwt();
  };
  const validate = async (token: string) => {
    const client = createClient({ baseUrl: url() });
    return (await client.request("GET", "/rtc/validate", { query: { access_token: token } }))
      .status;
  };

  test("tells which one it is, and what differs from its defaults", () => {
    const { host, port } = sfu.address();
    expect(sfu.access.websocketUrl).toBe(`ws://${host}:${port}`);
    expect(host).toMatch(/^127\./);
    expect(sfu.settings[0]).toMatch(/^LiveKit /);
    expect(sfu.settings.join()).toContain("room.auto_create off");
  });

  test("lets in who has a token for a room that exists, and makes none by itself", async () => {
    const room = "made-by-a-service";
    expect(await validate(await tokenFor({ room: "made-by-nobody", roomCreate: true }))).toBe(404);
    await admin().createRoom({ name: room });
    expect(await validate(await tokenFor({ room }))).toBe(200);
    expect(await validate(`${await tokenFor({ room })}x`)).toBe(401);
    expect(await sfu.capabilities.showsRooms?.rooms()).toEqual([room]);
    expect(await sfu.capabilities.showsRooms?.participants(room)).toEqual([]);
    expect(await sfu.capabilities.showsRooms?.participants("made-by-nobody")).toEqual([]);
  });

  test("signs what it tells of its rooms", async () => {
    await admin().createRoom({ name: "told" });
    await expect.poll(() => told.find(({ body }) => body.includes('"told"'))).toBeDefined();
    const { authorization = "", body = "" } = told.find((one) => one.body.includes("told")) ?? {};
    const { apiKey, apiSecret } = sfu.access;
    const event = await new WebhookReceiver(apiKey, apiSecret).receive(body, authorization);
    expect(event).toMatchObject({ event: "room_started", room: { name: "told" } });
  });

  test("answers nothing while it is paused", async () => {
    await sfu.capabilities.pausable?.pause();
    const client = createClient({ baseUrl: url(), timeoutMs: 500 });
    await expect(client.request("GET", "/")).rejects.toMatchObject({ code: "HS_NO_ANSWER" });
    await sfu.capabilities.pausable?.resume();
    expect((await client.request("GET", "/", { timeoutMs: 10_000 })).status).toBe(200);
  });

  test("comes back after SIGKILL and after a stop, and has no rooms then", async () => {
    const { killable, stoppable, restartable } = sfu.capabilities;
    const client = createClient({ baseUrl: url() });
    await killable?.kill();
    await expect(client.request("GET", "/")).rejects.toMatchObject({ code: "HS_NO_ANSWER" });
    await restartable?.restart();
    expect(await sfu.capabilities.showsRooms?.rooms()).toEqual([]);
    await stoppable?.stop();
    await expect(sfu.capabilities.showsRooms?.rooms()).rejects.toThrow("sfu1 did not tell");
    await stoppable?.start();
    expect((await client.request("GET", "/")).status).toBe(200);
    expect(onUnexpectedExit).not.toHaveBeenCalled();
  });

  test("keeps its secret to itself, and leaves nothing behind", async () => {
    const file = path.join(workFolder, "livekit.yaml");
    expect(statSync(file).mode & 0o077).toBe(0);
    const log = await sfu.capabilities.hasLogs?.tail(1_000);
    expect(log).not.toEqual([]);
    expect(readFileSync(logFile, "utf8")).not.toContain(sfu.access.apiSecret);
    await sfu[Symbol.asyncDispose]();
    expect(existsSync(workFolder)).toBe(false);
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
    await expect(createClient({ baseUrl: url() }).request("GET", "/")).rejects.toThrow();
  });
});

describe("without starting one", () => {
  const spec = (text: string) =>
    parseServerSpec(text, {
      flag: "--sfu",
      drivers: ["livekit"],
      examples: { process: "livekit", docker: "docker:livekit", url: "url:wss://sfu.example" },
      scheme: "ws",
    });
  const preparing = (text: string) =>
    livekit.prepare(spec(text), {
      signal: new AbortController().signal,
      progress: () => undefined,
    });

  test.each([
    ["process:livekit@1.12.0", "LiveKit is built in one version only"],
    ["process:livekit,share=x", "there is no option share"],
    ["url:ws://127.0.0.1:1,api-key=devkey", "its API key is not named"],
  ])("refuses %s", (text, why) => {
    expect(() => livekit.check?.(spec(text))).toThrow(why);
  });

  test("takes key and secret of a running one", () => {
    expect(() =>
      livekit.check?.(spec("url:ws://127.0.0.1:1,api-key=a,api-secret=b")),
    ).not.toThrow();
  });

  test.each([
    ["process:livekit=/nowhere/livekit-server", "there is no program /nowhere/livekit-server"],
    [`process:livekit=${process.execPath}`, "does not tell a version of LiveKit"],
  ])("does not start %s", async (text, why) => {
    await expect(preparing(text)).rejects.toThrow(why);
  });
});
