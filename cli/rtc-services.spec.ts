import { expect, test } from "vitest";
import { rtcServicesOf } from "./rtc-services.ts";

const NONE = { sfu: undefined, rtcAuth: undefined };
const ROLES = ["hs1", "hs2"];
const RTC = [{ suite: "msc4143" }, { suite: "msc4143" }, { suite: "core" }];
const OTHERS = [{ suite: "msc4143" }, { suite: "core" }];
const texts = (specs: ReturnType<typeof rtcServicesOf>["sfu"]) =>
  [...(specs ?? [])].map(([role, { text }]) => `${role}: ${text}`);

test("gives homeservers a service of our own when asked, with an SFU, or when most checks are of MatrixRTC", () => {
  const all = ["hs1: process:rtc-auth", "hs2: process:rtc-auth"];
  expect(rtcServicesOf(NONE, ROLES, OTHERS)).toEqual({ sfu: undefined, rtcAuth: undefined });
  expect(texts(rtcServicesOf(NONE, ROLES, RTC).rtcAuth)).toEqual(all);
  expect(rtcServicesOf(NONE, ROLES, RTC).sfu).toBeUndefined();
  expect(texts(rtcServicesOf({ ...NONE, rtcAuth: "embedded" }, ROLES, []).rtcAuth)).toEqual(all);
  const withSfu = rtcServicesOf({ ...NONE, sfu: "livekit" }, ROLES, []);
  expect(texts(withSfu.rtcAuth)).toEqual(all);
  expect(texts(withSfu.sfu)).toEqual(["hs1: process:livekit", "hs2: process:livekit"]);
  expect(rtcServicesOf({ ...NONE, rtcAuth: "none" }, ROLES, RTC).rtcAuth).toBeUndefined();
  expect(rtcServicesOf({ sfu: "none", rtcAuth: undefined }, ROLES, OTHERS).sfu).toBeUndefined();
});

test.each([
  [{ sfu: "livekitt" }, "--sfu process:livekitt: there is no driver livekitt"],
  [{ sfu: "url:https://sfu.example" }, "no ws(s) URL"],
  [{ sfu: "sfu1=process:livekit" }, "it has no role of its own"],
  [{ sfu: "process:livekit@1.12.0" }, "LiveKit is built in one version only"],
  [{ rtcAuth: "docker:lk-jwt-service" }, "it gives no tokens without an SFU"],
  [{ rtcAuth: "process:lk-jwt-service=./lk-jwt-service" }, "it gives no tokens without an SFU"],
  [{ rtcAuth: "lk-jwt-service", sfu: "livekit" }, "no program is named"],
  [{ rtcAuth: "docker:lk-jwt-service,share=x", sfu: "livekit" }, "neither options nor a version"],
  [{ rtcAuth: "url:https://a.example/path" }, "neither options nor a path may follow"],
  [{ rtcAuth: "mine" }, "there is no substrate mine"],
])("refuses %j", (given, why) => {
  expect(() => rtcServicesOf({ ...NONE, ...given }, ROLES, OTHERS)).toThrow(why);
});
