import { beforeEach, expect, test } from "vitest";
import { type Homeserver, HomeserverTrouble, type ProvisionedUser } from "./homeserver.ts";
import { SignIns } from "./sign-ins.ts";
import { Standing } from "./standing.ts";
import { Accounts } from "./store/accounts.ts";
import { openDatabase } from "./store/database.ts";
import { Sessions } from "./store/sessions.ts";

let told: string[];
/** Calls that the homeserver does not take. */
let refused: Set<string>;
/** Done once, while the homeserver is told something. */
let meanwhile: (() => void) | undefined;
let accounts: Accounts;
let signIns: SignIns;
let standing: Standing;

beforeEach(async () => {
  told = [];
  refused = new Set();
  const call = async (name: string, ...more: readonly unknown[]) => {
    if (refused.has(name)) throw new HomeserverTrouble(`${name}: no`, 500);
    told.push([name, ...more].join(" "));
    meanwhile?.();
    meanwhile = undefined;
  };
  const homeserver = {
    provisionUser: ({ localpart, locked }: ProvisionedUser) =>
      call("provision_user", localpart, ...(locked === undefined ? [] : [`locked=${locked}`])),
    upsertDevice: (_: string, deviceId: string) => call("upsert_device", deviceId),
    deleteDevice: (_: string, deviceId: string) => call("delete_device", deviceId),
    deleteUser: (localpart: string) => call("delete_user", localpart),
    reactivateUser: (localpart: string) => call("reactivate_user", localpart),
  } as unknown as Homeserver;
  const database = openDatabase(":memory:");
  const sessions = new Sessions(database);
  accounts = new Accounts(database);
  signIns = new SignIns(sessions, homeserver, async () => undefined);
  standing = new Standing({ accounts, sessions, signIns, homeserver });
  accounts.add("alice", "secret");
  await signIns.begin({
    id: "s",
    kind: "compat",
    localpart: "alice",
    deviceId: "D",
    scope: "urn:matrix:client:api:*",
    withRefreshToken: false,
  });
  told = [];
});

test("a deactivated account is told after its devices, and once", async () => {
  await standing.deactivate("alice");
  await standing.catchUp();

  expect(told).toEqual(["delete_device D", "delete_user alice"]);
});

test("a homeserver that does not take a device hears of the deactivation all the same", async () => {
  refused.add("delete_device");

  await expect(standing.deactivate("alice")).rejects.toThrow("delete_device: no");

  expect(accounts.find("alice")?.isDeactivated).toBe(true);
  expect(told).toEqual(["delete_user alice"]);
});

test("what the homeserver could not be told is told later, until it has heard", async () => {
  refused.add("delete_user").add("delete_device");
  await expect(standing.deactivate("alice")).rejects.toThrow(HomeserverTrouble);
  await standing.catchUp();
  expect(told).toEqual([]);
  refused.clear();

  await standing.catchUp();
  await signIns.catchUp();
  await standing.catchUp();

  expect(told).toEqual(["delete_user alice", "delete_device D"]);
});

test("a lock holds here at once, and is told when that can be", async () => {
  refused.add("provision_user");
  await expect(standing.setLocked("alice", true)).rejects.toThrow(HomeserverTrouble);
  expect(accounts.find("alice")?.isLocked).toBe(true);
  refused.clear();

  await standing.catchUp();
  await standing.setLocked("alice", false);
  await standing.catchUp();

  expect(accounts.find("alice")?.isLocked).toBe(false);
  expect(told).toEqual(["provision_user alice locked=true", "provision_user alice locked=false"]);
});

test("a lock and an unlock at once are told in their order", async () => {
  await Promise.all([standing.setLocked("alice", true), standing.setLocked("alice", false)]);

  expect(told.at(-1)).toBe("provision_user alice locked=false");
});

test("what changes while the homeserver is told is told too", async () => {
  meanwhile = () => accounts.setLocked("alice", false);
  await standing.setLocked("alice", true);
  await standing.catchUp();

  expect(told).toEqual(["provision_user alice locked=true", "provision_user alice locked=false"]);
});

test("an account is given back only once the homeserver has agreed", async () => {
  await standing.deactivate("alice");
  refused.add("reactivate_user");
  await expect(standing.reactivate("alice")).rejects.toThrow(HomeserverTrouble);
  expect(accounts.find("alice")?.isDeactivated).toBe(true);
  refused.clear();
  told = [];

  await standing.reactivate("alice");
  await standing.catchUp();

  expect(accounts.find("alice")?.isDeactivated).toBe(false);
  expect(told).toEqual(["reactivate_user alice"]);
});
