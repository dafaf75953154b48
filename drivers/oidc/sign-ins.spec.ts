import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Homeserver, HomeserverTrouble } from "./homeserver.ts";
import { SignIns } from "./sign-ins.ts";
import { openDatabase } from "./store/database.ts";
import { Sessions, type TokenPair } from "./store/sessions.ts";

let told: string[];
/** Calls that get this status instead of what they ask for; 0: no answer. */
let refused: Map<string, number>;
let sessions: Sessions;
let signIns: SignIns;
/** Sessions of which nothing may be left elsewhere. */
let forgotten: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  told = [];
  refused = new Map();
  const call = async (name: string) => {
    told.push(name);
    // As on a wire: what is asked at once does not come one after the other by itself.
    await Promise.resolve();
    const status = refused.get(name);
    if (status !== undefined) throw new HomeserverTrouble(name, status);
  };
  const homeserver = {
    provisionUser: () => call("provision"),
    upsertDevice: (_: string, deviceId: string) => call(`upsert ${deviceId}`),
    deleteDevice: (_: string, deviceId: string) => call(`delete ${deviceId}`),
    knock: () => call("knock"),
  } as unknown as Homeserver;
  sessions = new Sessions(openDatabase(":memory:"));
  forgotten = [];
  signIns = new SignIns(sessions, homeserver, async (id) => void forgotten.push(id));
});
afterEach(() => void vi.useRealTimers());

const begin = (id: string, deviceId: string, localpart = "alice"): Promise<TokenPair> =>
  signIns.begin({
    id,
    kind: "oauth",
    localpart,
    deviceId,
    scope: "urn:matrix:client:api:*",
    withRefreshToken: true,
  });
const ended = (id: string) => sessions.find(id)?.isEnded;
const session = (id: string) => {
  const found = sessions.find(id);
  if (found === undefined) throw new Error(`no session ${id}`);
  return found;
};

test("a device that is taken over lives on, unless the homeserver may believe in an older token", async () => {
  await begin("one", "D");
  told = [];
  await begin("two", "D");
  expect(ended("one")).toBe(true);
  expect(told).toEqual(["provision", "upsert D"]);
  expect(forgotten).toEqual(["one"]);
});

test("a token that the homeserver was told to be good is forgotten by the device's end", async () => {
  sessions.see(await begin("one", "D"));
  told = [];
  vi.setSystemTime(Date.now() + 119_000);
  await begin("two", "D");
  expect(told).toEqual(["provision", "delete D", "knock", "upsert D"]);
});

test("what the homeserver was told more than two minutes ago it has forgotten by itself", async () => {
  sessions.see(await begin("one", "D"));
  told = [];
  vi.setSystemTime(Date.now() + 121_000);
  await begin("two", "D");
  expect(told).toEqual(["provision", "upsert D"]);
});

test("sign-ins on one device at once leave one session", async () => {
  await Promise.all(["one", "two", "three"].map((id) => begin(id, "D")));
  expect(sessions.live("alice")).toMatchObject([{ id: "three" }]);
});

test("all sessions end, also when the homeserver does not take one of their devices", async () => {
  for (const [id, device] of Object.entries({ one: "A", two: "B", three: "C" }))
    await begin(id, device);
  refused.set("delete A", 500);
  await expect(signIns.endAll(sessions.live("alice"))).rejects.toThrow(HomeserverTrouble);
  expect(sessions.live("alice")).toEqual([]);
  expect(told.filter((name) => name.startsWith("delete"))).toEqual([
    "delete A",
    "delete B",
    "delete C",
  ]);
});

test("a device that the homeserver does not take keeps no other from it, one that gives no answer does", async () => {
  for (const [id, device] of Object.entries({ one: "A", two: "B" })) {
    await begin(id, device);
    refused.set(`delete ${device}`, 500);
    await expect(signIns.end(session(id))).rejects.toThrow(HomeserverTrouble);
  }
  refused.delete("delete B");
  told = [];
  await signIns.catchUp();
  await signIns.catchUp();
  expect(told).toEqual(["delete A", "delete B", "delete A"]);
  refused.set("delete A", 0);
  await begin("three", "C");
  refused.set("delete C", 500);
  await expect(signIns.end(session("three"))).rejects.toThrow(HomeserverTrouble);
  told = [];
  await signIns.catchUp();
  expect(told).toEqual(["delete A"]);
});

test("a device that is owed is not taken from who has signed in on it since", async () => {
  await begin("one", "D");
  refused.set("delete D", 500);
  await expect(signIns.end(session("one"))).rejects.toThrow(HomeserverTrouble);
  await begin("two", "D");
  refused.clear();
  told = [];
  await signIns.catchUp();
  expect(told).toEqual([]);
  expect(ended("two")).toBe(false);
});

test("a sign-in that is cut short owes its device, also after a restart", async () => {
  refused.set("upsert D", 0);
  await expect(begin("one", "D")).rejects.toThrow(HomeserverTrouble);
  expect(ended("one")).toBe(true);
  told = [];
  await signIns.catchUp();
  expect(told).toEqual(["delete D"]);
});

test("a session that has ended does not end again", async () => {
  await begin("one", "D");
  await signIns.end(session("one"));
  expect(forgotten).toEqual(["one"]);
  await begin("two", "D");
  told = [];
  await signIns.end(session("one"));
  await signIns.catchUp();
  expect(told).toEqual([]);
  expect(ended("two")).toBe(false);
});
