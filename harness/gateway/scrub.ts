/**
 * Removes secrets from what is recorded, printed or reported. Works on text, so that truncated or invalid JSON is
 * scrubbed too: the value goes even where its closing quote is missing. Knows JSON, forms and queries (also one inside the
 * other), parts of forms, and the fields of pages.
 */
const SECRET_KEYS =
  "access_token|refresh_token|id_token|login_token|loginToken|as_token|hs_token|token|password|new_password|" +
  "current_password|password_confirm|client_secret|secret|registration_access_token|registration_shared_secret|" +
  "private_key|signing_key|macaroon_secret_key|form_secret|mac|code|code_verifier|device_code|user_code|csrf|" +
  "client_assertion|assertion|session_key|passphrase|recovery_key|jwt|api_secret|" +
  "turn_password|turnPassword";

/** Why a room key is kept back, or a verification is cancelled: a code that is no secret (specification §m.room_key.withheld). */
const PUBLIC_CODE = '(?<="code"\\s*:\\s*)"m\\.[a-z_]{1,40}"';
const JSON_VALUE = new RegExp(
  `("(?:${SECRET_KEYS})"\\s*:\\s*)(?!${PUBLIC_CODE})"(?:[^"\\\\]|\\\\.)*"?`,
  "gi",
);
/** Begins a query, a fragment, a form, or a further parameter: as it is, in HTML (`&amp;`), or inside another parameter. */
const PARAMETER = "(?:^|[?&#;\\s\"']|%3F|%26|%23)";
const FORM_VALUE = new RegExp(
  `(${PARAMETER}(?:${SECRET_KEYS})(?:\\[\\]|%5B%5D)?(?:=|%3D))((?:(?!%26)[^&\\s"'<>#])+)`,
  "gi",
);
/** Fields of pages, whichever attribute comes first. */
const FIELD_VALUES: readonly [RegExp, RegExp] = [
  new RegExp(`(\\bname="(?:${SECRET_KEYS})"[^<>]*?\\bvalue=")([^"]+)`, "gi"),
  new RegExp(`(\\bvalue=")([^"]+)(?="[^<>]*?\\bname="(?:${SECRET_KEYS})")`, "gi"),
];
/** Parts of multipart/form-data (RFC 7578), with any further headers before the empty line. */
const PART = new RegExp(
  `(\\bform-data;[^\\r\\n]*\\bname="(?:${SECRET_KEYS})"[^\\r\\n]*(?:\\r?\\n[^\\r\\n]+)*\\r?\\n\\r?\\n)([^\\r\\n]+)`,
  "gi",
);
const AUTHORIZATION = /\b(Bearer|Basic)\s+[^\s"',]+/gi;
/** Signed tokens (RFC 7519), wherever they stand: LiveKit shows them without a scheme before them. */
const SIGNED_TOKEN = /\beyJ[\w-]{10,}\.[\w.-]*/g;
const SIGNATURE = /(\bsig=)"?[^",\s]+"?/g;

export const SCRUBBED = "<scrubbed>";

/** A shorter value is likely to stand for something else where it is found. */
const MIN_SECRET_LENGTH = 8;

/** Of what pages have in fields so many are looked for in the rest of the page: it costs a reading of it for each. */
const MAX_FIELD_SECRETS = 50;

/** The text without tokens, passwords and signatures. What a page has in a field goes also where the page says it to people. */
export function scrub(text: string): string {
  const shown = new Set(secretsBy(FIELD_VALUES, text));
  return without(text, [...shown].slice(0, MAX_FIELD_SECRETS))
    .replace(JSON_VALUE, `$1"${SCRUBBED}"`)
    .replace(FIELD_VALUES[0], `$1${SCRUBBED}`)
    .replace(FIELD_VALUES[1], `$1${SCRUBBED}`)
    .replace(PART, `$1${SCRUBBED}`)
    .replace(FORM_VALUE, `$1${SCRUBBED}`)
    .replace(AUTHORIZATION, `$1 ${SCRUBBED}`)
    .replace(SIGNED_TOKEN, SCRUBBED)
    .replace(SIGNATURE, `$1${SCRUBBED}`);
}

function without(text: string, values: Iterable<string>): string {
  // One may begin with another.
  const longestFirst = [...values].sort((one, other) => other.length - one.length);
  return longestFirst.reduce((left, value) => left.replaceAll(value, SCRUBBED), text);
}

/** By patterns whose second group is the value. */
function secretsBy(patterns: readonly RegExp[], text: string): string[] {
  const values = patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, , value = ""]) => value),
  );
  return values.filter(isLongEnough);
}

function isLongEnough(secret: string): boolean {
  return secret.length >= MIN_SECRET_LENGTH;
}

/** Values of the secrets in a text, to be found again where they stand without their names. */
export function secretsIn(text: string): string[] {
  const named = [...text.matchAll(JSON_VALUE)].map(([whole, key = ""]) =>
    whole.slice(key.length + 1).replace(/"$/, ""),
  );
  return [...named.filter(isLongEnough), ...secretsBy([FORM_VALUE, PART, ...FIELD_VALUES], text)];
}

/** As `scrub`, and without these values wherever they stand. */
export function scrubValues(text: string, secrets: Iterable<string>): string {
  return without(scrub(text), secrets);
}
