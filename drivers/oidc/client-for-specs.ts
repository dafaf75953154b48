/** A client of the OAuth API by raw requests: what it sends is what the spec says, wrong or right. */
import { createHash, randomBytes } from "node:crypto";
import { request } from "undici";
import { BrowserForSpecs, type Shown } from "./browser-for-specs.ts";
import { SECRET } from "./service-for-specs.ts";

export const REDIRECT = "https://app.example.com/cb";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

type Fields = Readonly<Record<string, string | undefined>>;

/** Sends a form; fields that are undefined are left out. */
export async function sendForm(url: string, fields: Fields, bearer?: string): Promise<Answer> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return await send(url, new URLSearchParams(given as [string, string][]).toString(), {
    "content-type": "application/x-www-form-urlencoded",
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
  });
}

export async function sendJson(url: string, body: unknown, bearer?: string): Promise<Answer> {
  return await send(url, JSON.stringify(body), {
    "content-type": "application/json",
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
  });
}

export async function send(
  url: string,
  body: string,
  headers: Record<string, string>,
): Promise<Answer> {
  const answer = await request(url, { method: "POST", body, headers });
  const text = await answer.body.text();
  return {
    status: answer.statusCode,
    body: text.startsWith("{") ? JSON.parse(text) : {},
    headers: answer.headers,
  };
}

export async function introspect(base: string, token: unknown): Promise<Answer["body"]> {
  return (await sendForm(`${base}oauth2/introspect`, { token: String(token) }, SECRET)).body;
}

/** A code that was given out, and what belongs to it. */
export interface Granted {
  readonly code: string;
  readonly verifier: string;
  readonly callback: URL;
}

export class ClientForSpecs {
  readonly base: string;
  readonly id: string;

  private constructor(base: string, id: string) {
    this.base = base;
    this.id = id;
  }

  static async register(base: string, more: Record<string, unknown> = {}): Promise<ClientForSpecs> {
    const { status, body } = await sendJson(`${base}oauth2/registration`, {
      client_name: "Spec",
      client_uri: "https://example.com/",
      redirect_uris: [REDIRECT, "https://app.example.com/other"],
      grant_types: ["authorization_code", "refresh_token", DEVICE_GRANT],
      token_endpoint_auth_method: "none",
      ...more,
    });
    if (status !== 201) throw new Error(`registration: ${status} ${JSON.stringify(body)}`);
    return new ClientForSpecs(base, String(body.client_id));
  }

  /** An authorization request, with these parameters instead of the right ones. */
  authorizationUrl(verifier: string, fields: Fields): string {
    const all: Fields = {
      client_id: this.id,
      response_type: "code",
      redirect_uri: REDIRECT,
      response_mode: "query",
      state: "a state",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...fields,
    };
    const given = Object.entries(all).filter(([, value]) => value !== undefined);
    return `${this.base}authorize?${new URLSearchParams(given as [string, string][])}`;
  }

  /** Opens an authorization request as nobody. */
  async open(fields: Fields, browser = new BrowserForSpecs(this.base)): Promise<Shown> {
    return await browser.open(this.authorizationUrl(newVerifier(), fields));
  }

  /** Logs in and agrees. */
  async authorize(
    localpart: string,
    deviceId: string,
    fields: Fields = {},
    browser = new BrowserForSpecs(this.base),
  ): Promise<Granted> {
    const verifier = newVerifier();
    const scope = scopeOf(deviceId);
    let shown = await browser.open(this.authorizationUrl(verifier, { scope, ...fields }));
    if (shown.page === "login") {
      shown = await browser.submit(shown, { username: localpart, password: "secret" });
    }
    if (shown.page !== "consent") throw new Error(`no consent: ${shown.status} ${shown.text}`);
    const { left, text } = await browser.submit(shown, { action: "consent" });
    if (left === undefined) throw new Error(`no callback: ${text}`);
    const callback = new URL(left);
    return { code: String(callback.searchParams.get("code")), verifier, callback };
  }

  async redeem({ code, verifier }: Granted, fields: Fields = {}): Promise<Answer> {
    return await this.token({
      grant_type: "authorization_code",
      code,
      code_verifier: verifier,
      redirect_uri: REDIRECT,
      ...fields,
    });
  }

  async signIn(localpart: string, deviceId: string): Promise<Answer["body"]> {
    const { status, body } = await this.redeem(await this.authorize(localpart, deviceId));
    if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async refresh(refreshToken: unknown, fields: Fields = {}): Promise<Answer> {
    return await this.token({
      grant_type: "refresh_token",
      refresh_token: String(refreshToken),
      ...fields,
    });
  }

  async token(fields: Fields): Promise<Answer> {
    return await sendForm(`${this.base}oauth2/token`, { client_id: this.id, ...fields });
  }

  async startDevice(scope: string): Promise<Answer> {
    return await sendForm(`${this.base}oauth2/device`, { client_id: this.id, scope });
  }

  async poll(deviceCode: unknown): Promise<Answer> {
    return await this.token({ grant_type: DEVICE_GRANT, device_code: String(deviceCode) });
  }
}

export function scopeOf(deviceId: string): string {
  return `urn:matrix:client:api:* urn:matrix:client:device:${deviceId}`;
}

function newVerifier(): string {
  return randomBytes(32).toString("base64url");
}
