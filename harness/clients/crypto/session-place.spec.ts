import { expect, test } from "vitest";
import { sessionPlace } from "./session-place.ts";

function place(...bytes: number[]) {
  const ciphertext = Buffer.from(bytes).toString("base64");
  return sessionPlace({ session_id: "s", ciphertext });
}

test("the index of a message is read from its ciphertext, as long as it may be", () => {
  expect(place(3, 8, 0, 18)).toEqual({ sessionId: "s", index: 0 });
  expect(place(3, 8, 0x7f, 18)).toEqual({ sessionId: "s", index: 127 });
  expect(place(3, 8, 0xac, 0x02, 18)).toEqual({ sessionId: "s", index: 300 });
  expect(place(3, 8, 0xff, 0xff, 0xff, 0xff, 0x0f)).toMatchObject({ index: 2 ** 32 - 1 });
});

test("what is no megolm message has no index", () => {
  expect(place()).toMatchObject({ index: undefined });
  expect(place(2, 8, 1)).toMatchObject({ index: undefined });
  expect(place(3, 18, 1)).toMatchObject({ index: undefined });
  expect(place(3, 8, 0xff)).toMatchObject({ index: undefined });
  expect(place(3, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)).toMatchObject({ index: undefined });
  expect(sessionPlace({ ciphertext: { curve: {} } })).toEqual({ sessionId: "", index: undefined });
  expect(sessionPlace("text")).toEqual({ sessionId: "", index: undefined });
});
