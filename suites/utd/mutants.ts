/** Ways for servers and for what is between to lose keys, as mutants of stories. */
import { ROUTES } from "#harness/stories/routes";
import type { Story } from "#harness/stories/story";
import type { Mutant } from "#harness/world/check";
import { altersAnswer, altersRequest } from "#harness/world/mutants";

/** Whoever reads something reads it by a key that came so. */
const SWALLOWS: Mutant = {
  name: "swallows to-device messages",
  rules: [
    ...altersAnswer("", ROUTES.sync, { remove: ["/to_device"] }).rules,
    ...altersAnswer("", ROUTES["sliding-sync"], { remove: ["/extensions/to_device/events"] }).rules,
  ],
};

const ONE_KEY = { key: "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", signatures: {} };
const SAME_KEY = altersAnswer("hands out one key again and again", ROUTES["keys.claim"], {
  set: { "/one_time_keys/*/*": { "signed_curve25519:AAAAAAAAAAE": ONE_KEY } },
});
const MISCOUNTS = altersAnswer("tells another number of keys than there are", ROUTES.sync, {
  set: { "/device_one_time_keys_count/signed_curve25519": 49 },
});
const FORGETS_LISTS = altersAnswer("tells of no changed devices", ROUTES.sync, {
  remove: ["/device_lists"],
});
const HIDES_USE = altersAnswer("does not tell that a fallback key was used", ROUTES.sync, {
  set: { "/device_unused_fallback_key_types": ["signed_curve25519"] },
});
const TAKES_OTHER_KEYS = {
  name: "takes other keys in the place of those that are there",
  rules: altersAnswer(
    "",
    { ...ROUTES["keys.upload"], status: 400 },
    { status: 200, body: { one_time_key_counts: { signed_curve25519: 50 } } },
  ).rules,
};
const LOSES_BACKUP = altersAnswer(
  "loses what is in the backup",
  { method: "GET", path: "/_matrix/client/*/room_keys/keys" },
  { set: { "/rooms": {} } },
);
const LOSES_SIGNATURES = altersAnswer("forgets who has signed what", ROUTES["keys.query"], {
  set: { "/device_keys/*/*/signatures": {}, "/master_keys/*/signatures": {} },
});
const EMPTIES_DEHYDRATED = altersAnswer(
  "loses what came for a dehydrated device",
  ROUTES["dehydrated.events"],
  { set: { "/events": [] } },
);

const DELIVERS_AGAIN = altersRequest("delivers again what was taken", ROUTES.sync, {
  path: "/_matrix/client/v3/sync?timeout=0",
});
const HIDES_EVENTS = altersAnswer("hides what was said before a join", ROUTES.event, {
  status: 404,
  body: { errcode: "M_NOT_FOUND", error: "hidden" },
});
const LOSES_SECRETS = altersAnswer(
  "loses the secrets of the account",
  { method: "GET", path: "/_matrix/client/*/user/*/account_data/*" },
  { status: 404, body: { errcode: "M_NOT_FOUND", error: "lost" } },
);

/** Of stories for which a swallowed message is not enough. */
const OWN: Readonly<Record<string, readonly Mutant[]>> = {
  "otk.race": [SAME_KEY],
  "otk.kill-during-claim": [SAME_KEY],
  "otk.old-key-dropped": [SAME_KEY],
  "otk.resurrected": [SAME_KEY],
  "otk.upload-5xx": [MISCOUNTS],
  "otk.upload-lost-response": [MISCOUNTS, SWALLOWS],
  "otk.zero-not-told": [MISCOUNTS],
  "otk.store-lost": [TAKES_OTHER_KEYS],
  "otk.store-rollback": [TAKES_OTHER_KEYS],
  "fallback.rotated": [HIDES_USE],
  "fallback.retry-unmarks": [HIDES_USE],
  "td.two-consumers": [DELIVERS_AGAIN],
  "td.token-persisted-early": [DELIVERS_AGAIN],
  "rk.rotate-on-logout": [FORGETS_LISTS, SWALLOWS],
  "dl.changed-during-query": [FORGETS_LISTS, SWALLOWS],
  "bk.basic": [LOSES_BACKUP],
  "bk.wrong-key": [LOSES_SECRETS],
  "bk.put-lost": [LOSES_BACKUP],
  "bk.worse-key": [LOSES_BACKUP],
  "bk.logout-before-upload": [LOSES_BACKUP],
  "bk.version-switch": [LOSES_BACKUP],
  "dehy.offline": [EMPTIES_DEHYDRATED],
  "dehy.kill-rehydrate": [EMPTIES_DEHYDRATED],
  "hist.no-bundle": [HIDES_EVENTS],
  "trust.xs-sigkill": [LOSES_SIGNATURES],
  "verify.sas-own": [SWALLOWS],
  "verify.qr": [SWALLOWS],
  "verify.cancelled": [SWALLOWS],
  "verify.mitm": [SWALLOWS],
  "verify.sas-users": [LOSES_SIGNATURES],
};

export function mutantsOf({ id, steps }: Story): readonly Mutant[] {
  const own = OWN[id];
  if (own !== undefined) return own;
  const reads = steps.some(
    (step) => "word" in step && ["reads", "sends-until-read"].includes(step.word),
  );
  return reads ? [SWALLOWS] : [];
}
