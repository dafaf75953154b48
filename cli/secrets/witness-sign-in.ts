/**
 * Loaded into every process of a command (NODE_OPTIONS=--import), for a spec: notes what signs people in and is in requests and
 * answers that go by, also those between homeserver and auth service, which the gateway forwards.
 */
import { channel } from "node:diagnostics_channel";
import { note } from "./notes.ts";

const KINDS: Readonly<Record<string, string>> = {
  access_token: "access token",
  refresh_token: "refresh token",
  token: "token",
  login_token: "login token",
  loginToken: "login token",
  code: "code",
  code_verifier: "code verifier",
  password: "password",
  password_confirm: "password",
  client_secret: "client secret",
  registration_access_token: "registration access token",
  device_code: "device code",
  user_code: "user code",
  csrf: "anti-forgery value",
};
const NAMES = Object.keys(KINDS).join("|");
const PATTERNS = [
  new RegExp(`"(${NAMES})"\\s*:\\s*"([^"\\\\]+)"`, "g"),
  new RegExp(`(?:^|[?&#])(${NAMES})=([^&\\s"'<>#]+)`, "g"),
  new RegExp(`name="(${NAMES})" value="([^"]+)"`, "g"),
];
/** Shorter ones are words of checks, such as wrong passwords: nobody's secret. */
const SHORTEST = 9;
/** Codes for reasons, for example `m.user_cancelled`, are no secrets. */
const REASON = /^m\.[a-z_]+$/;

function noteNamed(text: string): void {
  for (const pattern of PATTERNS) {
    for (const [, name = "", value = ""] of text.matchAll(pattern)) {
      if (value.length < SHORTEST || REASON.test(value)) continue;
      const kind = KINDS[name] ?? name;
      note(kind, value);
      const plain = decoded(value);
      if (plain !== value) note(kind, plain);
    }
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return value;
  }
}

function noteCookie(text: string): void {
  const [pair = ""] = text.split(";");
  const value = pair.slice(pair.indexOf("=") + 1).trim();
  if (value.length >= SHORTEST) note("cookie", value);
}

/** What stands in an address openly. */
function notePath(target: string): void {
  const [place = ""] = target.split(/[?#]/);
  for (const segment of place.split("/")) if (segment.length >= SHORTEST) note("path", segment);
}

interface Request {
  readonly path: string;
  readonly headers: unknown;
  readonly body: unknown;
}

channel("undici:request:create").subscribe((message) => {
  const { path, headers, body } = (message as { request: Request }).request;
  const isBetween = /introspect|_synapse\/mas/.test(path);
  const pairs = pairsOf(headers);
  for (const [name, value] of pairs) {
    const [, token] = /^Bearer (.+)$/i.exec(value) ?? [];
    if (token !== undefined) note(isBetween ? "shared secret" : "access token", token);
    if (name === "cookie") value.split(/;\s*/).forEach(noteCookie);
  }
  notePath(path);
  noteNamed(path);
  noteNamed(
    typeof body === "string" || body instanceof Uint8Array ? Buffer.from(body).toString() : "",
  );
});

channel("undici:request:headers").subscribe((message) => {
  const { response } = message as { response: { headers: readonly Buffer[] } };
  for (const [name, value] of pairsOf(response.headers)) {
    if (name === "set-cookie") noteCookie(value);
    if (name === "location") {
      notePath(value);
      noteNamed(value);
    }
  }
});

const answers = new WeakMap<object, string>();

channel("undici:request:bodyChunkReceived").subscribe((message) => {
  const { request, chunk } = message as { request: object; chunk: Uint8Array };
  const whole = (answers.get(request) ?? "") + Buffer.from(chunk).toString();
  answers.set(request, whole);
  noteNamed(whole);
});

/** Names in lower case. */
function pairsOf(headers: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(headers)) return [];
  const texts = headers.map(String);
  return texts.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), texts[index + 1] ?? ""] as const] : [],
  );
}
