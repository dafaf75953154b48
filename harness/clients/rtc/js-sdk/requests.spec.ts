import { expect, test } from "vitest";
import { requestOf } from "./requests.ts";

function told(method: string, target: string, body: unknown = {}, answer: unknown = {}) {
  const url = new URL(target, "http://hs1");
  return requestOf({ method, url, body, status: 200, answer });
}

const ROOMS = "/_matrix/client/v3/rooms/!a%3Ahs1";

test("a scheduled event that sticks is told with its delay id, a state event with its key", () => {
  const query = "org.matrix.msc4140.delay=8000&org.matrix.msc4354.sticky_duration_ms=60";
  expect(told("PUT", `${ROOMS}/send/m.x/1?${query}`, { a: 1 }, { delay_id: "d" })).toEqual({
    what: "sent",
    roomId: "!a:hs1",
    type: "m.x",
    content: { a: 1 },
    delayMs: 8_000,
    stickyMs: 60,
    status: 200,
    delayId: "d",
  });
  expect(told("PUT", `${ROOMS}/state/m.x/%40u_D`, {}, { event_id: "$e" })).toEqual({
    what: "sent",
    roomId: "!a:hs1",
    type: "m.x",
    stateKey: "@u_D",
    content: {},
    status: 200,
    eventId: "$e",
  });
  expect(told("PUT", `${ROOMS}/state/m.x/`)).toMatchObject({ stateKey: "" });
});

test("what is done about delayed events is told, and whom to-device events go to", () => {
  expect(told("POST", "/_matrix/client/unstable/x/delayed_events/d%2F/restart")).toEqual({
    what: "acted",
    delayId: "d/",
    action: "restart",
    status: 200,
  });
  const messages = { "@a:hs1": { A: {}, B: {} }, "@b:hs1": {} };
  expect(told("PUT", "/_matrix/client/v3/sendToDevice/m.x/1", { messages })).toEqual({
    what: "mailed",
    type: "m.x",
    to: [
      { userId: "@a:hs1", deviceId: "A" },
      { userId: "@a:hs1", deviceId: "B" },
    ],
    status: 200,
  });
});

test("nothing else is", () => {
  expect(told("GET", `${ROOMS}/state/m.x/`)).toBeUndefined();
  expect(told("POST", "/_matrix/client/v3/keys/upload")).toBeUndefined();
});
