import { expect, test } from "vitest";
import { ACTIONS_SUPPORTED, accountAction } from "./account-actions.ts";

test.each([
  ["org.matrix.profile", "profile"],
  ["org.matrix.devices_list", "devices_list"],
  ["org.matrix.sessions_list", "devices_list"],
  ["org.matrix.device_view", "device_view"],
  ["org.matrix.session_view", "device_view"],
  ["org.matrix.device_delete", "device_delete"],
  ["org.matrix.session_end", "device_delete"],
  ["session_end", "device_delete"],
  ["org.matrix.account_deactivate", "account_deactivate"],
  ["org.matrix.cross_signing_reset", "cross_signing_reset"],
  ["org.example.other", "profile"],
  [undefined, "profile"],
  [["org.matrix.device_delete"], "profile"],
])("takes %j for %s", (given, action) => {
  expect(accountAction(given)).toBe(action);
});

test("tells of all that it knows", () => {
  expect(ACTIONS_SUPPORTED).toEqual(
    expect.arrayContaining(["org.matrix.device_delete", "org.matrix.session_end"]),
  );
  expect(ACTIONS_SUPPORTED).toHaveLength(9);
});
