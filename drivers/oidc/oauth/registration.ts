/**
 * Which metadata a client may register: RFC 7591 with the rules of the specification's OAuthClientMetadata and "Redirect URI
 * validation". oidc-provider is stricter in places (unknown grants, names with a language) and laxer in others (the base
 * of URIs), so it is only given what has passed here.
 */
import { redirectProblem } from "./redirect-uri.ts";
import { isSameSite, userVisibleUri } from "./uris.ts";

export interface Refusal {
  readonly error: "invalid_client_metadata" | "invalid_redirect_uri";
  readonly description: string;
}

/** What is kept of a registration: fields of oidc-provider, and those with a language beside them. */
export interface Registration {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly localised: Readonly<Record<string, string>>;
}

const GRANTS = [
  "authorization_code",
  "refresh_token",
  "urn:ietf:params:oauth:grant-type:device_code",
];
const URIS = ["logo_uri", "tos_uri", "policy_uri"];
const LOCALISED = ["client_name", "client_uri", ...URIS];
/** Longer ones only serve to fill pages. */
const LONGEST = 2_000;

export function isRefusal(registration: Registration | Refusal): registration is Refusal {
  return "error" in registration;
}

/** What is to be registered, or why nothing is. */
export function readRegistration(body: unknown): Registration | Refusal {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return refused("the metadata has to be a JSON object");
  }
  const asked = new Map<string, unknown>(Object.entries(body));
  const client = baseOf(asked);
  if ("error" in client) return client;
  const { type, base } = client;

  const method = asked.get("token_endpoint_auth_method") ?? "none";
  if (method !== "none") return refused("token_endpoint_auth_method has to be none");
  const grants = known(asked.get("grant_types") ?? ["authorization_code"], GRANTS);
  if (grants === undefined) return refused("grant_types has to be an array of strings");
  if (grants.length === 0) return refused("grant_types has none that is supported");
  const usesCode = grants.includes("authorization_code");
  const responses = known(asked.get("response_types") ?? (usesCode ? ["code"] : []), ["code"]);
  if (responses === undefined) return refused("response_types has to be an array of strings");
  if (usesCode && responses.length === 0) return refused("response_types has to have code");

  const redirects = strings(asked.get("redirect_uris") ?? []);
  if (redirects === undefined) return badRedirect("redirect_uris has to be an array of strings");
  if (usesCode && redirects.length === 0) return badRedirect("redirect_uris has to have one");
  for (const uri of redirects) {
    const problem = redirectProblem(uri, type, base);
    if (problem !== undefined) return badRedirect(problem);
  }

  const visible = visibleFields(asked, base);
  if ("error" in visible) return visible;
  return {
    metadata: {
      application_type: type,
      token_endpoint_auth_method: method,
      grant_types: grants,
      response_types: usesCode ? responses : [],
      redirect_uris: redirects,
      ...visible.plain,
    },
    localised: visible.localised,
  };
}

function baseOf(asked: ReadonlyMap<string, unknown>) {
  const type = asked.get("application_type") ?? "web";
  if (type !== "web" && type !== "native") return refused("application_type is web or native");
  const uri = asked.get("client_uri");
  const base = typeof uri === "string" ? userVisibleUri(uri) : undefined;
  if (base === undefined)
    return refused("client_uri has to be an https URL without user and password");
  return { type, base } as const;
}

/** The fields that users see, and those with a language: the same rules hold for both. */
function visibleFields(asked: ReadonlyMap<string, unknown>, base: URL) {
  const plain: Record<string, string> = {};
  const localised: Record<string, string> = {};
  for (const [name, value] of asked) {
    const [field = "", language] = name.split("#");
    if (!LOCALISED.includes(field)) continue;
    if (typeof value !== "string" || value.length > LONGEST) {
      return refused(`${field} has to be a string of at most ${LONGEST} characters`);
    }
    if (field !== "client_name") {
      const uri = userVisibleUri(value);
      if (uri === undefined) {
        return refused(`${field} has to be an https URL without user and password`);
      }
      if (!isSameSite(uri, base)) return refused(`${field} is not on the host of client_uri`);
    }
    if (language === undefined) plain[field] = value;
    else localised[name] = value;
  }
  return { plain, localised };
}

function strings(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) return undefined;
  return [...new Set<string>(value)];
}

/** Those that we know; the others are ignored, as the specification asks for. */
function known(value: unknown, supported: readonly string[]): string[] | undefined {
  return strings(value)?.filter((item) => supported.includes(item));
}

function refused(description: string): Refusal {
  return { error: "invalid_client_metadata", description };
}

function badRedirect(description: string): Refusal {
  return { error: "invalid_redirect_uri", description };
}
