/** The walk as a whole, on records written by hand. */
import { expect, test } from "vitest";
import { Evidence } from "./evidence.ts";
import { explain } from "./explain.ts";
import {
  ALICE,
  BOB,
  came,
  EVENT,
  INBOX,
  OLM,
  PARCEL,
  ROOM,
  ready,
  SENT,
  SESSION,
  Story,
  shared,
} from "./hand-written.ts";
import { pageOf } from "./page.ts";

const taken = () => came().took(62, "decrypted");

test("where nothing is known to have gone wrong it is unexplained, and that is not sure to anybody", async () => {
  const utd = await taken().read(70).explain();
  expect(utd).toMatchObject({
    root: "unexplained",
    isSure: false,
    lastGoodStep: 8,
    isPermanent: true,
  });
  expect(utd).not.toHaveProperty("failedStep", expect.any(Number));
});

test("an event that is read later was late for a while", async () => {
  const utd = await shared().read(55).sync(60, BOB, INBOX).read(80, "readable").explain();
  expect(utd).toMatchObject({
    root: "todevice.late",
    isSure: true,
    isPermanent: false,
    healedAt: 80_000,
  });
});

test("without any log the traffic tells, and what the library said is given", async () => {
  const story = new Story().upload(1, ALICE).upload(2, BOB).join(4, BOB);
  story
    .query(10, ALICE, [BOB], { rules: ["long before"], said: {} })
    .put(41, ALICE, { content: OLM })
    .send(SENT)
    .sync(60, BOB, {}, { said: INBOX, rules: ["strip"] });
  const utd = await story.explain({ target: BOB, native: { code: "MissingRoomKey" } });
  expect(utd).toMatchObject({ root: "todevice.lost-downstream", parcel: PARCEL, isSure: false });
  expect(utd.rules).toEqual([{ rule: "strip", exchange: "t#7", at: 60_000, isOnPath: true }]);
});

test("what a device tries again and again is one line of the timeline, and where it is seen is told", async () => {
  const story = shared();
  for (const at of [70, 71, 72]) story.read(at);
  const again = "crucible replay story-1.replay.ndjson --mutant lose-to-device";
  const utd = await story.read(90, "readable").explain({ seed: "5", place: "epoch 2", again });

  expect(utd.timeline.filter(({ says }) => /read/.test(says)).map(({ says }) => says)).toEqual([
    "the device could not read it: MissingRoomKey, 3 times until 00:01:12.000",
    "the device could read the event",
  ]);
  expect(pageOf(utd)).toContain(
    `| seen in | epoch 2 |\n| seed | 5 |\n| told again by | ${again} |\n`,
  );
});

test("an event or a device that the records do not have is told", async () => {
  await expect(ready().explain()).rejects.toThrow(/do not have the encrypted event/);
  await expect(ready().send(SENT).explain()).rejects.toThrow(/do not tell who can not read/);
});

test("without any log it is asked of the devices that were shown the event", async () => {
  const carol = { user: "@carol:hs1", device: "CAROL" };
  const shows = (event: string) => {
    const content = { session_id: SESSION, ciphertext: "AwgB" };
    const shown = { type: "m.room.encrypted", event_id: event, sender: ALICE.user, content };
    return { rooms: { join: { [ROOM]: { timeline: { events: [shown] } } } } };
  };
  const { exchanges } = new Story()
    .upload(1, ALICE)
    .upload(2, BOB)
    .upload(3, carol)
    .send(SENT)
    .sync(60, carol, shows("$another"))
    .sync(61, ALICE, shows(EVENT))
    .sync(62, BOB, shows(EVENT));

  const utds = explain(await Evidence.gather(exchanges), { event: EVENT });

  expect(utds.map(({ target }) => target)).toEqual([BOB]);
});
