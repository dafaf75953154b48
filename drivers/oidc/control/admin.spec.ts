import { afterAll, beforeAll, expect, test } from "vitest";
import type { ManagesAccounts } from "#harness/deployment/auth-contract";
import { ClientForSpecs, introspect } from "../client-for-specs.ts";
import { type ServiceForSpecs, startForSpecs } from "../service-for-specs.ts";

const API = "urn:matrix:client:api:*";
let service: ServiceForSpecs;
let accounts: ManagesAccounts;

beforeAll(async () => {
  service = await startForSpecs();
  const { managesAccounts } = service.running.capabilities;
  if (managesAccounts === undefined) throw new Error("there is no admin side");
  accounts = managesAccounts;
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
});

const lastOf = (localpart: string) =>
  service.told.filter(({ body }) => body.localpart === localpart).at(-1);

test("makes nobody twice", async () => {
  const alice = await service.newUser();
  await expect(accounts.createAccount(alice, "other")).rejects.toThrow(`${alice} is taken`);
  const { registersUsers } = service.running.capabilities;
  await expect(registersUsers?.register(alice, "other")).rejects.toThrow(`${alice} is taken`);
});

test("issues a token for a user that is not known here, for the device of its scope", async () => {
  const scope = `${API} urn:matrix:client:device:BYSCOPE`;
  const { accessToken } = await accounts.issueToken({ localpart: "bot", scope, expiresInS: 60 });
  expect(await introspect(service.base, accessToken)).toMatchObject({
    active: true,
    username: "bot",
    device_id: "BYSCOPE",
    expires_in: expect.closeTo(60, -1),
  });
  const upsert = service.told.find(
    ({ name, body }) => name === "upsert_device" && body.localpart === "bot",
  );
  expect(upsert?.body).toMatchObject({ device_id: "BYSCOPE" });
});

test("tells the homeserver of locks, and of accounts that come back", async () => {
  const alice = await service.newUser();
  await accounts.lock(alice);
  expect(lastOf(alice)).toMatchObject({ name: "provision_user", body: { locked: true } });
  await accounts.unlock(alice);
  expect(lastOf(alice)).toMatchObject({ name: "provision_user", body: { locked: false } });
  await accounts.deactivate(alice);
  expect(lastOf(alice)).toMatchObject({ name: "delete_user", body: { erase: false } });
  await accounts.reactivate(alice);
  expect(lastOf(alice)?.name).toBe("reactivate_user");
  const { accessToken } = await accounts.issueToken({ localpart: alice, scope: API });
  expect(await introspect(service.base, accessToken)).toMatchObject({ active: true });
});

test("a deactivation that the homeserver did not take reaches it later", async () => {
  const alice = await service.newUser();
  service.answerWith(500, "delete_user");
  await expect(accounts.deactivate(alice)).rejects.toThrow("delete_user");
  const before = service.toldOf(alice).length;
  service.answerWith(200);
  await expect.poll(() => service.toldOf(alice).slice(before)).toContain("delete_user");
});

test("a code of an account that is gone since gives nothing", async () => {
  const client = await ClientForSpecs.register(service.base);
  const alice = await service.newUser();
  const granted = await client.authorize(alice, "ABCDEFGHIJ");
  await accounts.deactivate(alice);
  expect(await client.redeem(granted)).toMatchObject({
    status: 400,
    body: { error: "invalid_grant" },
  });
});

test("lists sessions with device and client", async () => {
  const client = await ClientForSpecs.register(service.base);
  const alice = await service.newUser();
  await client.signIn(alice, "ABCDEFGHIJ");
  await accounts.issueToken({ localpart: alice, scope: API });
  expect(await accounts.sessions(alice)).toEqual([
    { id: expect.any(String), deviceId: "ABCDEFGHIJ", clientId: client.id },
    { id: expect.any(String) },
  ]);
  await expect(accounts.endSession("none")).rejects.toThrow("there is no session none");
});
