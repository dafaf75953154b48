/** The links to account pages that clients make (MSC4191), with the names from before it was merged. */

export const ACCOUNT = "/account";

export type AccountAction =
  | "profile"
  | "devices_list"
  | "device_view"
  | "device_delete"
  | "account_deactivate"
  | "cross_signing_reset";

const STABLE: readonly AccountAction[] = [
  "profile",
  "devices_list",
  "device_view",
  "device_delete",
  "account_deactivate",
  "cross_signing_reset",
];

const FORMER: Readonly<Record<string, AccountAction>> = {
  sessions_list: "devices_list",
  session_view: "device_view",
  session_end: "device_delete",
};

export const ACTIONS_SUPPORTED = [...STABLE, ...Object.keys(FORMER)].map(
  (name) => `org.matrix.${name}`,
);

/** An unknown action is the profile. */
export function accountAction(given: unknown): AccountAction {
  const name = typeof given === "string" ? given.replace(/^org\.matrix\./, "") : "";
  return FORMER[name] ?? STABLE.find((action) => action === name) ?? "profile";
}
