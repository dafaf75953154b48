/**
 * Removes secrets from what is recorded, printed or reported. Works on text, so that truncated or invalid JSON is
 * scrubbed too: the value goes even where its closing quote is missing.
 */
const SECRET_KEYS =
  "access_token|refresh_token|id_token|login_token|as_token|hs_token|token|password|new_password|client_secret|secret|" +
  "registration_shared_secret|private_key|signing_key|macaroon_secret_key|form_secret|mac|code|code_verifier|device_code|" +
  "session_key|passphrase|recovery_key";

/** Why a room key is kept back, or a verification is cancelled: a code that is no secret (specification §m.room_key.withheld). */
const PUBLIC_CODE = '(?<="code"\\s*:\\s*)"m\\.[a-z_]{1,40}"';
const JSON_VALUE = new RegExp(
  `("(?:${SECRET_KEYS})"\\s*:\\s*)(?!${PUBLIC_CODE})"(?:[^"\\\\]|\\\\.)*"?`,
  "gi",
);
const FORM_VALUE = new RegExp(`((?:^|[?&\\s])(?:${SECRET_KEYS})=)[^&\\s"']+`, "gi");
const AUTHORIZATION = /\b(Bearer|Basic)\s+[^\s"',]+/gi;
const SIGNATURE = /(\bsig=)"?[^",\s]+"?/g;

export const SCRUBBED = "<scrubbed>";

/** A shorter value is likely to stand for something else where it is found. */
const MIN_SECRET_LENGTH = 8;

/** The text without tokens, passwords and signatures. */
export function scrub(text: string): string {
  return text
    .replace(JSON_VALUE, `$1"${SCRUBBED}"`)
    .replace(FORM_VALUE, `$1${SCRUBBED}`)
    .replace(AUTHORIZATION, `$1 ${SCRUBBED}`)
    .replace(SIGNATURE, `$1${SCRUBBED}`);
}

/** Values of the secrets in a JSON text, to be found again where they stand without their names. */
export function secretsIn(text: string): string[] {
  return [...text.matchAll(JSON_VALUE)]
    .map(([whole, key = ""]) => whole.slice(key.length + 1).replace(/"$/, ""))
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH);
}

/** As `scrub`, and without these values wherever they stand. */
export function scrubValues(text: string, secrets: Iterable<string>): string {
  let scrubbed = scrub(text);
  for (const secret of secrets) scrubbed = scrubbed.replaceAll(secret, SCRUBBED);
  return scrubbed;
}
