/** Ways for servers and for what is between to lose keys, as mutants of stories. */
import type { Mutant } from "#harness/world/check";
import { altersAnswer, claims } from "#harness/world/mutants";

const SYNC = { method: "GET", path: "/_matrix/client/*/sync" };

const SWALLOWS = altersAnswer("swallows to-device messages", SYNC, { remove: ["/to_device"] });
const TAKES_NONE = claims(
  "takes to-device messages and forgets them",
  { method: "PUT", path: "/_matrix/client/*/sendToDevice/*/*" },
  {},
);

/** By story. */
export const MUTANTS: Readonly<Record<string, readonly Mutant[]>> = {
  "member.happy": [SWALLOWS, TAKES_NONE],
  "td.send-response-lost": [SWALLOWS],
};
