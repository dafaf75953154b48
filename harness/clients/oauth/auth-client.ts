/** Requests to an authorization server as they go over the wire: any parameters, and answers as they come. */
import {
  createClient,
  type HttpClient,
  type HttpResponse,
  type RequestOptions,
} from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import type { ServerClient, SessionContext } from "#harness/world/session";
import { encodeForm, type Parameters, pairsOf } from "./form.ts";
import { type AuthMetadata, discover } from "./metadata.ts";

export class AuthClient {
  readonly metadata: AuthMetadata;
  readonly #http: HttpClient;
  /** RFC 7591 §2. One of its own for each, or the clients of two checks would be one and the same to some servers. */
  readonly #softwareId = crypto.randomUUID();

  constructor(metadata: AuthMetadata, context: SessionContext) {
    this.metadata = metadata;
    // Each URL is absolute: the service names its endpoints itself.
    this.#http = createClient({
      baseUrl: "",
      check: context.check,
      signal: context.signal,
      timeoutMs: 30_000 * context.timeoutScale,
      onExchange: context.onExchange,
    });
  }

  /** @throws Unsupported when the homeserver has no OAuth API */
  static async of(client: ServerClient): Promise<AuthClient> {
    return new AuthClient(await discover(client), client.context);
  }

  /** Any request; redirects are not followed. */
  request(method: string, url: string, options?: RequestOptions): Promise<HttpResponse> {
    return this.#http.request(method, url, options);
  }

  postForm(url: string, parameters: Parameters): Promise<HttpResponse> {
    return this.request("POST", url, {
      raw: encodeForm(parameters),
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    });
  }

  /** RFC 7591 §3.1. */
  register(clientMetadata: JsonObject): Promise<HttpResponse> {
    return this.request("POST", this.metadata.registrationEndpoint, {
      body: { software_id: this.#softwareId, ...clientMetadata },
    });
  }

  token(parameters: Parameters): Promise<HttpResponse> {
    return this.postForm(this.metadata.tokenEndpoint, parameters);
  }

  /** RFC 7009 §2.1; `client_id` goes first, so that rules know these requests by `&token=`. */
  revoke(parameters: Parameters): Promise<HttpResponse> {
    return this.postForm(this.metadata.revocationEndpoint, parameters);
  }

  /** RFC 8628 §3.1. Only where the metadata names the endpoint. */
  startDeviceGrant(parameters: Parameters): Promise<HttpResponse> {
    return this.postForm(this.metadata.deviceAuthorizationEndpoint ?? "", parameters);
  }

  /** Where a browser is sent to. */
  authorizationUrl(parameters: Parameters): string {
    const url = new URL(this.metadata.authorizationEndpoint);
    for (const [name, value] of pairsOf(parameters)) url.searchParams.append(name, value);
    return url.href;
  }
}
