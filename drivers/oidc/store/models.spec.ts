import { beforeEach, expect, test } from "vitest";
import { openDatabase } from "./database.ts";
import { ModelStore } from "./models.ts";

let codes: ModelStore;
let tokens: ModelStore;

beforeEach(() => {
  const database = openDatabase(":memory:");
  [codes, tokens] = ["AuthorizationCode", "AccessToken"].map(
    (model) => new ModelStore(database, model),
  ) as [ModelStore, ModelStore];
});

test("what is consumed once is consumed by nobody else, and known as such", async () => {
  await codes.upsert("code", { grantId: "grant" }, 60);
  await codes.consume("code");
  await expect(codes.consume("code")).rejects.toMatchObject({ error: "invalid_grant" });
  await expect(codes.consume("unheard-of")).rejects.toMatchObject({ error: "invalid_grant" });
  expect(await codes.find("code")).toMatchObject({
    grantId: "grant",
    consumed: expect.any(Number),
  });
});

test("what belongs to a grant goes with it, of its model alone", async () => {
  await codes.upsert("one", { grantId: "grant" }, 60);
  await codes.upsert("other", { grantId: "another" }, 60);
  await tokens.upsert("one", { grantId: "grant" }, 60);
  await codes.revokeByGrantId("grant");
  expect(await codes.find("one")).toBeUndefined();
  expect(await codes.find("other")).toBeDefined();
  expect(await tokens.find("one")).toBeDefined();
});

test("models are found by what people and browsers know of them", async () => {
  await codes.upsert("one", { userCode: "ABCDEFGH", uid: "uid" }, 60);
  expect(await codes.findByUserCode("ABCDEFGH")).toMatchObject({ uid: "uid" });
  expect(await codes.findByUid("uid")).toMatchObject({ userCode: "ABCDEFGH" });
  expect(await tokens.findByUid("uid")).toBeUndefined();
  await codes.destroy("one");
  expect(await codes.findByUid("uid")).toBeUndefined();
});
