/** Participants with media on a real LiveKit: the one that CRUCIBLE_TEST_SFU names. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { AccessToken, RoomServiceClient, type VideoGrant } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { firstTone, framesOf, lastTone, shareOf } from "#harness/clients/rtc/media/hearing";
import { MediaParticipant } from "#harness/clients/rtc/media/participant";
import type { KeyParameters, MediaReport } from "#harness/clients/rtc/media/report";
import type { RunningSfu } from "#harness/deployment/rtc-contract";
import { given, startGiven } from "./livekit-for-specs.ts";

const WITHIN = { timeout: 10_000, interval: 20 };

function spellsOf(report: MediaReport, identity: string) {
  return report.heard
    .filter((track) => track.identity === identity)
    .flatMap(({ spells }) => spells);
}

describe.runIf(given !== undefined)(`media over ${given}`, { timeout: 60_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-media-"));
  let sfu: RunningSfu;
  let rooms = 0;

  beforeAll(async () => {
    const [workFolder, logFile] = ["sfu1", "sfu1.log"].map((name) => path.join(folder, name));
    sfu = await startGiven({ workFolder: workFolder ?? "", logFile: logFile ?? "" });
  });

  afterAll(async () => {
    await sfu?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function newRoom(): Promise<string> {
    const { websocketUrl, apiKey, apiSecret } = sfu.access;
    const name = `room${++rooms}`;
    const base = websocketUrl.replace(/^ws/, "http");
    await new RoomServiceClient(base, apiKey, apiSecret).createRoom({ name });
    return name;
  }

  async function join(
    room: string,
    name: string,
    { encryption, grant = {} }: { encryption?: KeyParameters; grant?: VideoGrant } = {},
  ): Promise<MediaParticipant> {
    const { websocketUrl, apiKey, apiSecret } = sfu.access;
    const token = new AccessToken(apiKey, apiSecret, { identity: name });
    token.addGrant({ roomJoin: true, room, ...grant });
    return await MediaParticipant.join({
      websocketUrl,
      token: await token.toJwt(),
      name,
      signal: new AbortController().signal,
      ...(encryption && { encryption }),
    });
  }

  const hears = async (listener: MediaParticipant, of: string, hz: number, since = 0) =>
    framesOf(spellsOf(await listener.report(), of), hz, since);

  test("two hear each other, each by a tone of its own, and see pictures in order", async () => {
    const room = await newRoom();
    await using alice = await join(room, "alice");
    await using bob = await join(room, "bob");
    await Promise.all([alice.publishTone(400), bob.publishTone(700), alice.publishPicture()]);

    await expect.poll(() => hears(bob, "alice", 400), WITHIN).toBeGreaterThan(100);
    await expect.poll(() => hears(alice, "bob", 700), WITHIN).toBeGreaterThan(100);
    await expect
      .poll(async () => (await bob.report()).seen[0]?.numbers.length, WITHIN)
      .toBeGreaterThan(20);

    const told = await bob.report();
    const spells = spellsOf(told, "alice");
    expect(shareOf(spells, 400, firstTone(spells, 400))).toBeGreaterThan(0.9);
    expect(framesOf(spells, 700)).toBe(0);
    const [seen] = told.seen;
    expect(seen).toMatchObject({ identity: "alice", width: 320, height: 240 });
    const { numbers = [] } = seen ?? {};
    expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
    expect(told.participants).toMatchObject([
      { identity: "alice", tracks: [{ encryption: "none" }, { encryption: "none" }] },
    ]);
  });

  test("one who leaves, and one who is killed, is heard no more", async () => {
    const room = await newRoom();
    await using bob = await join(room, "bob");
    await using alice = await join(room, "alice");
    await using carol = await join(room, "carol");
    await Promise.all([alice.publishTone(400), carol.publishTone(500)]);
    await expect.poll(() => hears(bob, "alice", 400), WITHIN).toBeGreaterThan(20);
    await expect.poll(() => hears(bob, "carol", 500), WITHIN).toBeGreaterThan(20);

    await alice.leave();
    await carol.kill();
    const gone = Date.now();

    const left = async () =>
      (await bob.report()).notes
        .filter(({ what }) => what === "participant-left")
        .map(({ identity }) => identity);
    await expect.poll(left, WITHIN).toEqual(["alice"]);
    // What comes after the end is silence, which is told frame by frame.
    const silent = async () => spellsOf(await bob.report(), "carol").at(-1);
    await expect.poll(silent, WITHIN).toMatchObject({ sound: "silence" });
    for (const [who, hz] of [
      ["alice", 400],
      ["carol", 500],
    ] as const) {
      const last = lastTone(spellsOf(await bob.report(), who), hz) ?? 0;
      expect(last - gone).toBeLessThan(1_000);
    }
    await expect(carol.report()).rejects.toThrow("the process of carol has ended");
    expect(bob.pid).toBeTypeOf("number");
  });

  test("encrypted media are heard with the right key only, and keys are switched", async () => {
    const room = await newRoom();
    const keys = [randomBytes(32), randomBytes(32)].map((key) => new Uint8Array(key));
    const [first = new Uint8Array(), second = new Uint8Array()] = keys;
    await using alice = await join(room, "alice", { encryption: {} });
    await using right = await join(room, "right", { encryption: {} });
    await using wrong = await join(room, "wrong", { encryption: {} });
    await using without = await join(room, "without", { encryption: {} });
    await using plain = await join(room, "plain");
    await Promise.all([
      alice.setKey("alice", 0, first),
      right.setKey("alice", 0, first),
      wrong.setKey("alice", 0, second),
    ]);
    const began = Date.now();
    await alice.publishTone(400);

    await expect.poll(() => hears(right, "alice", 400), WITHIN).toBeGreaterThan(150);
    for (const deaf of [wrong, without, plain]) expect(await hears(deaf, "alice", 400)).toBe(0);
    const states = async (of: MediaParticipant) =>
      (await of.report()).notes
        .filter(({ what, identity }) => what === "encryption" && identity === "alice")
        .map(({ state }) => state);
    expect(await states(right)).toContain("ok");
    expect(await states(wrong)).toContain("decryption-failed");
    expect(await states(without)).toContain("missing-key");
    expect((await plain.report()).participants).toContainEqual({
      identity: "alice",
      tracks: [expect.objectContaining({ kind: "audio", encryption: "gcm" })],
    });

    await without.setKey("alice", 0, first);
    await expect.poll(() => hears(without, "alice", 400), WITHIN).toBeGreaterThan(20);

    await Promise.all([alice.setKey("alice", 1, second), right.setKey("alice", 1, second)]);
    await alice.useKey(1);
    const switched = Date.now();
    await expect.poll(() => hears(right, "alice", 400, switched), WITHIN).toBeGreaterThan(150);
    expect(lastTone(spellsOf(await without.report(), "alice"), 400)).toBeLessThan(switched + 1_000);
    const spells = spellsOf(await right.report(), "alice");
    expect(shareOf(spells, 400, (firstTone(spells, 400) ?? began) + 200)).toBeGreaterThan(0.9);
  });

  test("one that may not publish is refused", async () => {
    const room = await newRoom();
    await using alice = await join(room, "alice", { grant: { canPublish: false } });
    await expect(alice.publishTone(400)).rejects.toThrow();
  });

  test("one that the SFU does not let in says so, without its token", async () => {
    const refused = await join("made-by-nobody", "alice").catch((error: Error) => error);
    expect(refused).toBeInstanceOf(Error);
    expect(String(refused)).not.toContain("eyJ");
  });
});
