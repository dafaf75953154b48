/** A client of the admin API (`/api/admin/v1`) and of GraphQL, with a token of its own by client credentials. */
import { request } from "undici";
import { HarnessError } from "#harness/errors";
import { scrub } from "#harness/gateway/scrub";
import { at, show } from "#harness/match/json";

export interface AdminAccess {
  /** Where it is asked, past the gateway; without a slash at its end. Read anew for each request. */
  readonly base: () => string;
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly json: unknown;
}

const SCOPE = "urn:mas:admin urn:mas:graphql:*";
/** A token that ends within this is not used again. */
const MARGIN_MS = 30_000;

export class AdminClient {
  readonly #access: AdminAccess;
  #token: { readonly value: string; readonly until: number } | undefined;

  constructor(access: AdminAccess) {
    this.#access = access;
  }

  /** @throws HarnessError HS_NO_ANSWER when it answers anything but 2xx, unless the status is one of these. */
  async ask(
    method: "GET" | "POST",
    path: string,
    body?: object,
    alsoGood: readonly number[] = [],
  ): Promise<AdminAnswer> {
    const answer = await this.#send(method, `/api/admin/v1${path}`, body);
    const isGood = answer.status < 300 || alsoGood.includes(answer.status);
    if (!isGood) throw refused(`${method} ${path}`, answer);
    return answer;
  }

  /** Its data. */
  async graphql(query: string, variables: object): Promise<unknown> {
    const answer = await this.#send("POST", "/graphql", { query, variables });
    const errors = at(answer.json, "errors");
    if (answer.status !== 200 || errors !== undefined) throw refused("GraphQL", answer);
    return at(answer.json, "data");
  }

  /** As any client would, for the compatibility layer. */
  async asAnyone(path: string, body: object): Promise<AdminAnswer> {
    return await this.#request("POST", path, {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  async #send(method: "GET" | "POST", path: string, body?: object): Promise<AdminAnswer> {
    return await this.#request(method, path, {
      headers: {
        authorization: `Bearer ${await this.#bearer()}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async #bearer(): Promise<string> {
    if (this.#token !== undefined && Date.now() < this.#token.until) return this.#token.value;
    const { clientId, clientSecret } = this.#access;
    const credentials = [clientId, clientSecret].map(encodeURIComponent).join(":");
    const answer = await this.#request("POST", "/oauth2/token", {
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: SCOPE }).toString(),
    });
    const [value, lifetimeS] = [at(answer.json, "access_token"), at(answer.json, "expires_in")];
    if (typeof value !== "string") throw refused("a token for the admin client", answer);
    const lifetimeMs = typeof lifetimeS === "number" ? lifetimeS * 1_000 : 0;
    this.#token = { value, until: Date.now() + lifetimeMs - MARGIN_MS };
    return value;
  }

  async #request(
    method: "GET" | "POST",
    path: string,
    options: { headers: Record<string, string>; body?: string },
  ): Promise<AdminAnswer> {
    const { statusCode, body } = await request(`${this.#access.base()}${path}`, {
      method,
      ...options,
    });
    const text = await body.text();
    try {
      return { status: statusCode, json: text === "" ? undefined : JSON.parse(text) };
    } catch {
      return { status: statusCode, json: text };
    }
  }
}

function refused(what: string, { status, json }: AdminAnswer): HarnessError {
  return new HarnessError("HS_NO_ANSWER", {
    what: `the admin side of MAS does not do what it was asked: ${what}`,
    facts: [`it answered ${status} ${scrub(show(json))}`],
    next: "see the auth service's log; the admin client needs the scope urn:mas:admin (policy.data.admin_clients)",
  });
}

/** @throws HarnessError HS_NO_ANSWER unless there is a text */
export function textAt(json: unknown, ...keys: string[]): string {
  const value = at(json, ...keys);
  if (typeof value === "string") return value;
  throw new HarnessError("HS_NO_ANSWER", {
    what: `MAS's admin API did not tell ${keys.join(".")}`,
    next: "this driver was written after MAS 1.22; see the auth service's log",
  });
}
