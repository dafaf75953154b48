import { expect, test } from "vitest";
import type { Session } from "#harness/world/session";
import { uploadSigningKeys } from "./identities.ts";

const TARGET = "/_matrix/client/v3/keys/device_signing/upload";
const KEYS = { master_key: {} };
const ASKS = {
  status: 401,
  json: { session: "opened", flows: [{ stages: ["m.login.password"] }] },
};
const DONE = { status: 200, json: {} };

/** A session whose server answers with these, in order, and what it and its application service were asked. */
function sessionWith(answers: readonly object[], isOfService: boolean) {
  const asked: unknown[][] = [];
  const left = [...answers];
  const clientOf = (who: string) => ({
    post: async (...what: unknown[]) => {
      asked.push([who, ...what]);
      return left.shift();
    },
  });
  const account = { userId: "@alice:hs1", password: "password of alice" };
  const service = isOfService ? clientOf("service") : undefined;
  const session = { ...account, ...clientOf("user"), service } as unknown as Session;
  return { session, asked };
}

test("a first upload needs nobody's consent", async () => {
  const { session, asked } = sessionWith([DONE], true);
  await uploadSigningKeys(session, KEYS);

  expect(asked).toEqual([["user", TARGET, KEYS]]);
});

test("keys are replaced with the password", async () => {
  const { session, asked } = sessionWith([ASKS, DONE], false);
  await uploadSigningKeys(session, KEYS);

  expect(asked[1]).toMatchObject([
    "user",
    TARGET,
    { ...KEYS, auth: { type: "m.login.password", session: "opened" } },
  ]);
});

test("keys of a user of an application service are replaced by the service, in the user's name", async () => {
  const { session, asked } = sessionWith([ASKS, DONE], true);
  await uploadSigningKeys(session, KEYS);

  expect(asked[1]).toEqual(["service", TARGET, KEYS, { user_id: "@alice:hs1" }]);
});
