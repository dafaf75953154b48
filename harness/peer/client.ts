/** A peer as a client of one server: signed requests, one method for each endpoint of the server-server API. */
import {
  type HttpClient,
  type HttpResponse,
  path,
  type Query,
  withQuery,
} from "#harness/http/client";
import type { JsonObject, JsonValue } from "#protocol/events/event";
import { ROOM_VERSIONS } from "#protocol/rooms/room-version";
import type { Signer, SigningKey } from "./keys.ts";
import { jsonOf, type Pdu } from "./pdu.ts";
import {
  formatAuthorization,
  type SignedRequest,
  signRequest,
  type XMatrix,
} from "./request-auth.ts";

/** How the authorization of a request is made wrong. */
export interface RequestLies {
  readonly origin?: string;
  /** Signed and named; null: neither. */
  readonly destination?: string | null;
  readonly key?: SigningKey;
  /** Signed instead of the body that is sent. */
  readonly signedContent?: JsonValue;
  /** Signed instead of the path and query that are sent. */
  readonly signedUri?: string;
  /** Writes the header from the right parameters; null: no header. */
  readonly header?: (parameters: XMatrix) => string | null;
}

export interface FederationRequest {
  readonly body?: unknown;
  readonly query?: Query;
  readonly auth?: RequestLies;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly timeoutMs?: number;
}

export interface Edu {
  readonly edu_type: string;
  readonly content: JsonObject;
}

/** The methods return any answer: what it has to be is the check's to say. */
export class FederationClient {
  readonly serverName: string;
  readonly #signer: Signer;
  readonly #http: HttpClient;
  readonly #nextName: (prefix: string) => string;

  constructor(
    serverName: string,
    signer: Signer,
    http: HttpClient,
    nextName: (prefix: string) => string,
  ) {
    this.serverName = serverName;
    this.#signer = signer;
    this.#http = http;
    this.#nextName = nextName;
  }

  /** Any request; rightly signed unless `auth` says otherwise. */
  request(method: string, path: string, options: FederationRequest = {}): Promise<HttpResponse> {
    const { body, query, auth = {}, headers, timeoutMs } = options;
    const uri = withQuery(path, query);
    const raw = body === undefined ? undefined : JSON.stringify(body);
    const content: JsonValue | undefined = raw === undefined ? undefined : JSON.parse(raw);
    return this.#http.request(method, uri, {
      headers: {
        host: this.serverName,
        authorization: this.#authorization({ method, uri, content, ...auth }),
        ...headers,
      },
      ...(raw === undefined ? {} : { raw }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  get(path: string, query?: Query): Promise<HttpResponse> {
    return this.request("GET", path, query === undefined ? {} : { query });
  }

  post(path: string, body: unknown = {}): Promise<HttpResponse> {
    return this.request("POST", path, { body });
  }

  put(path: string, body: unknown = {}, query?: Query): Promise<HttpResponse> {
    return this.request("PUT", path, query === undefined ? { body } : { body, query });
  }

  /** A transaction. */
  send(
    pdus: readonly (Pdu | JsonObject)[],
    edus: readonly Edu[] = [],
    auth: RequestLies = {},
  ): Promise<HttpResponse> {
    const body = {
      origin: this.#signer.serverName,
      origin_server_ts: Date.now(),
      pdus: pdus.map((pdu) => jsonOf(pdu)),
      edus,
    };
    const target = path`/_matrix/federation/v1/send/${this.#nextName("txn")}`;
    return this.request("PUT", target, { body, auth });
  }

  version(): Promise<HttpResponse> {
    return this.request("GET", "/_matrix/federation/v1/version", { auth: { header: () => null } });
  }

  keys(): Promise<HttpResponse> {
    return this.request("GET", "/_matrix/key/v2/server", { auth: { header: () => null } });
  }

  makeJoin(
    roomId: string,
    userId: string,
    versions: readonly string[] = [...ROOM_VERSIONS.keys()],
  ): Promise<HttpResponse> {
    const target = path`/_matrix/federation/v1/make_join/${roomId}/${userId}`;
    return this.get(target, { ver: versions });
  }

  sendJoin(roomId: string, pdu: Pdu, query: Query = {}): Promise<HttpResponse> {
    return this.put(path`/_matrix/federation/v2/send_join/${roomId}/${pdu.id}`, pdu.json, query);
  }

  makeLeave(roomId: string, userId: string): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/make_leave/${roomId}/${userId}`);
  }

  sendLeave(roomId: string, pdu: Pdu): Promise<HttpResponse> {
    return this.put(path`/_matrix/federation/v2/send_leave/${roomId}/${pdu.id}`, pdu.json);
  }

  makeKnock(
    roomId: string,
    userId: string,
    versions: readonly string[] = [...ROOM_VERSIONS.keys()],
  ): Promise<HttpResponse> {
    const target = path`/_matrix/federation/v1/make_knock/${roomId}/${userId}`;
    return this.get(target, { ver: versions });
  }

  sendKnock(roomId: string, pdu: Pdu): Promise<HttpResponse> {
    return this.put(path`/_matrix/federation/v1/send_knock/${roomId}/${pdu.id}`, pdu.json);
  }

  /** @param body `event`, `room_version` and `invite_room_state`. */
  invite(roomId: string, eventId: string, body: JsonObject): Promise<HttpResponse> {
    return this.put(path`/_matrix/federation/v2/invite/${roomId}/${eventId}`, body);
  }

  exchangeThirdPartyInvite(roomId: string, body: JsonObject): Promise<HttpResponse> {
    return this.put(path`/_matrix/federation/v1/exchange_third_party_invite/${roomId}`, body);
  }

  event(eventId: string): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/event/${eventId}`);
  }

  state(roomId: string, eventId: string): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/state/${roomId}`, { event_id: eventId });
  }

  stateIds(roomId: string, eventId: string): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/state_ids/${roomId}`, { event_id: eventId });
  }

  eventAuth(roomId: string, eventId: string): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/event_auth/${roomId}/${eventId}`);
  }

  backfill(roomId: string, from: readonly string[], limit: number): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/backfill/${roomId}`, { v: from, limit });
  }

  missingEvents(
    roomId: string,
    earliest: readonly string[],
    latest: readonly string[],
    options: { readonly limit?: number; readonly min_depth?: number } = {},
  ): Promise<HttpResponse> {
    return this.post(path`/_matrix/federation/v1/get_missing_events/${roomId}`, {
      earliest_events: earliest,
      latest_events: latest,
      ...options,
    });
  }

  timestampToEvent(roomId: string, ts: number, dir: "f" | "b"): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/timestamp_to_event/${roomId}`, { ts, dir });
  }

  hierarchy(roomId: string, query: Query = {}): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/hierarchy/${roomId}`, query);
  }

  publicRooms(query: Query = {}): Promise<HttpResponse> {
    return this.get("/_matrix/federation/v1/publicRooms", query);
  }

  profile(userId: string, field?: string): Promise<HttpResponse> {
    return this.get("/_matrix/federation/v1/query/profile", { user_id: userId, field });
  }

  directory(alias: string): Promise<HttpResponse> {
    return this.get("/_matrix/federation/v1/query/directory", { room_alias: alias });
  }

  userDevices(userId: string): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/user/devices/${userId}`);
  }

  /** @param deviceKeys device ids by user id; an empty list asks for all. */
  queryKeys(deviceKeys: Readonly<Record<string, readonly string[]>>): Promise<HttpResponse> {
    return this.post("/_matrix/federation/v1/user/keys/query", { device_keys: deviceKeys });
  }

  /** @param oneTimeKeys algorithms by device id by user id. */
  claimKeys(oneTimeKeys: JsonObject): Promise<HttpResponse> {
    return this.post("/_matrix/federation/v1/user/keys/claim", { one_time_keys: oneTimeKeys });
  }

  media(mediaId: string): Promise<HttpResponse> {
    return this.get(path`/_matrix/federation/v1/media/download/${mediaId}`);
  }

  #authorization(
    request: RequestLies & Pick<SignedRequest, "method" | "uri" | "content">,
  ): string | null {
    const { serverName: origin, key } = this.#signer;
    const { destination = this.serverName, header = formatAuthorization } = request;
    const parameters = signRequest(
      {
        method: request.method,
        uri: request.signedUri ?? request.uri,
        origin: request.origin ?? origin,
        destination: destination ?? undefined,
        content: request.signedContent ?? request.content,
      },
      request.key ?? key,
    );
    return header(parameters);
  }
}
