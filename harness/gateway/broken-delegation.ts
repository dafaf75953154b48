/** Servers that get wrong what their auth services tell them, and auth services that forget: for stories that have to notice. */
import type { Rule, RuleAction, RuleMatch } from "./rule.ts";

/** What auth services call on homeservers (see `AuthStartContext`). */
const CALLS = "/_synapse/mas";
/** Part of the names of devices that sign in with a browser. */
const DEVICE = "DEVICE-";
interface Broken {
  readonly rules: readonly Rule[];
}

const DONE: RuleAction = { kind: "answer", status: 200, body: {} };

/** A homeserver that is told to delete a device says that it has, and keeps it. */
export function keepDevices(): Broken {
  const to = ["delete_device", "sync_devices"].map((call) => ({
    from: "as*",
    path: `${CALLS}/${call}`,
  }));
  return { rules: to.map((match) => answers("keep-device", match, DONE)) };
}

/** A homeserver that is told of a device says that it has it, and has not. */
export function loseDevices(): Broken {
  const match = { from: "as*", path: `${CALLS}/upsert_device`, contains: DEVICE };
  return { rules: [answers("lose-device", match, DONE)] };
}

/** An auth service that calls refresh tokens invalid. */
export function endSessions(): Broken {
  const match = { from: "client", to: "as*", contains: "grant_type=refresh_token" };
  const body = { error: "invalid_grant" };
  return { rules: [answers("end-session", match, { kind: "answer", status: 400, body })] };
}

function answers(name: string, match: RuleMatch, action: RuleAction): Rule {
  return { name, match, phase: "before", action };
}
