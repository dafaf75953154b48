import { describe, expect, it } from "vitest";
import { OLDER, STABLE, UNSTABLE } from "./delayed-events.ts";

const ROOM = "!room:hs1";
const MESSAGE = { type: "m.rtc.member", content: { a: 1 }, delayMs: 1_000 };
const STATE = { ...MESSAGE, stateKey: "m.call#room" };

describe("forms of delayed events", () => {
  it("has the delay and the content in the body by the endpoint of the merged text", () => {
    expect(STABLE.encode(ROOM, MESSAGE, "txn")).toMatchObject({
      path: "/_matrix/client/v3/rooms/!room%3Ahs1/delayed_event/m.rtc.member/txn",
      body: { delay_ms: 1_000, content: { a: 1 } },
    });
    expect(UNSTABLE.encode(ROOM, MESSAGE, "txn").path).toBe(
      "/_matrix/client/unstable/org.matrix.msc4140/rooms/!room%3Ahs1/delayed_event/m.rtc.member/txn",
    );
  });

  it("tells state from messages, also with an empty key", () => {
    const keys = [MESSAGE, STATE, { ...MESSAGE, stateKey: "" }].map(
      (event) => JSON.parse(JSON.stringify(STABLE.encode(ROOM, event, "txn").body)).state_key,
    );
    expect(keys).toEqual([undefined, "m.call#room", ""]);
  });

  it("has the delay in the query and the content as body in the older form", () => {
    expect(OLDER.encode(ROOM, MESSAGE, "txn")).toMatchObject({
      path: "/_matrix/client/v3/rooms/!room%3Ahs1/send/m.rtc.member/txn",
      query: { "org.matrix.msc4140.delay": "1000" },
      body: { a: 1 },
    });
    expect(OLDER.encode(ROOM, STATE, "txn").path).toBe(
      "/_matrix/client/v3/rooms/!room%3Ahs1/state/m.rtc.member/m.call%23room",
    );
  });

  it("leaves a delay out that is not given, and gives others as they are", () => {
    const delays = [undefined, 0, 1.5, "abc"];
    const stable = delays.map(
      (delayMs) => STABLE.encode(ROOM, { ...MESSAGE, delayMs }, "txn").body.delay_ms,
    );
    const older = delays.map(
      (delayMs) =>
        OLDER.encode(ROOM, { ...MESSAGE, delayMs }, "txn").query["org.matrix.msc4140.delay"],
    );
    expect(stable).toEqual(delays);
    expect(older).toEqual([undefined, "0", "1.5", "abc"]);
  });

  it("passes stickiness and what application services say on", () => {
    const event = { ...MESSAGE, stickyMs: 5_000, query: { user_id: "@a:hs1", ts: 7 } };
    for (const form of [STABLE, UNSTABLE, OLDER]) {
      expect(form.encode(ROOM, event, "txn").query).toMatchObject({
        "org.matrix.msc4354.sticky_duration_ms": 5_000,
        user_id: "@a:hs1",
        ts: 7,
      });
    }
  });
});
