import { expect, test } from "vitest";
import { deviceOf, readScope, withUnstableNames } from "./scope.ts";

const API = "urn:matrix:client:api:*";
const DEVICE = "urn:matrix:client:device:ABCDEFGHIJ";
const OLD_API = "urn:matrix:org.matrix.msc2967.client:api:*";
const OLD_DEVICE = "urn:matrix:org.matrix.msc2967.client:device:ABCDEFGHIJ";

test.each([
  `${API} ${DEVICE}`,
  `${OLD_API} ${OLD_DEVICE}`,
  `openid ${DEVICE} ${API}`,
  `${API} ${DEVICE} ${DEVICE}`,
])("takes %s", (scope) => {
  expect(readScope(scope)).toMatchObject({ deviceId: "ABCDEFGHIJ", wantsAdmin: false });
  expect(deviceOf(scope)).toBe("ABCDEFGHIJ");
});

test.each([
  undefined,
  "",
  "openid",
  API,
  DEVICE,
  `${API} ${DEVICE}X ${DEVICE}`,
  `${API} ${OLD_DEVICE} urn:matrix:client:device:OTHEROTHER`,
  `${API} ${DEVICE} urn:foo`,
  `${API} ${DEVICE} urn:mas:admin`,
  `urn:matrix:client:api:guest ${DEVICE}`,
  `${API} urn:matrix:client:device:`,
  `${API} urn:matrix:client:device:${"A".repeat(256)}`,
  `${API} urn:matrix:client:device:ABC"DEFGHI`,
  `${API} urn:matrix:client:device:ABC\\DEFGHI`,
  `${API} urn:matrix:client:device:ABCDEFGHÄ`,
  `${API} urn:matrix:client:device:ABC\tDEFGHI`,
])("refuses %j", (scope) => {
  expect(readScope(scope)).toEqual(expect.any(String));
});

test("takes a device id of 255 characters", () => {
  const deviceId = "A".repeat(255);
  expect(readScope(`${API} urn:matrix:client:device:${deviceId}`)).toMatchObject({ deviceId });
});

test("tells that administration is asked for", () => {
  expect(readScope(`${API} ${DEVICE} urn:synapse:admin:*`)).toMatchObject({ wantsAdmin: true });
});

test("has the old names beside the new ones, once", () => {
  expect(withUnstableNames(`openid ${API} ${DEVICE}`)).toBe(
    `openid ${API} ${DEVICE} ${OLD_API} ${OLD_DEVICE}`,
  );
  expect(withUnstableNames(`${API} ${OLD_API}`)).toBe(`${API} ${OLD_API}`);
});
