/** Sessions in which two devices of a user find each other before one is signed in (MSC4388, used by MSC4108). */
import { type HttpResponse, path } from "#harness/http/client";
import { at, numberAt, textAt } from "#harness/match/json";
import { expectThat, ok } from "#harness/world/expect";
import type { ServerClient } from "#harness/world/session";
import type { World } from "#harness/world/world";

/** There is no stable path yet. */
export const RENDEZVOUS = "/_matrix/client/unstable/io.element.msc4388/rendezvous";
/** Any one session, for rules. */
export const SESSION = `${RENDEZVOUS}/*`;

export const CONCURRENT_WRITE = ["M_CONCURRENT_WRITE", "IO_ELEMENT_MSC4388_CONCURRENT_WRITE"];
export const BYTES_AT_MOST = 4096;

/** Specification, appendix Opaque Identifiers. */
const OPAQUE = /^[0-9A-Za-z._~-]{1,255}$/;

export interface Rendezvous {
  readonly id: string;
  /** What a write has to come with. */
  readonly token: string;
  readonly expiresInMs: number;
  readonly response: HttpResponse;
}

export interface Written {
  readonly data: string;
  readonly token: string;
  readonly expiresInMs: number;
  readonly response: HttpResponse;
}

/** Who may begin sessions: a stranger where the server lets everybody, otherwise a user. */
export async function beginner(world: World): Promise<ServerClient> {
  const stranger = world.anonymous();
  const { json } = await stranger.get(RENDEZVOUS);
  return at(json, "create_available") === true ? stranger : await world.user("beginner");
}

/** @throws CheckFailure unless the server makes one */
export async function begin(client: ServerClient, data = "begun"): Promise<Rendezvous> {
  const response = await client.post(RENDEZVOUS, { data });
  const body = ok(response);
  return {
    id: opaqueAt(body, "id", response),
    token: opaqueAt(body, "sequence_token", response),
    expiresInMs: lifetimeAt(body, response),
    response,
  };
}

export function read(client: ServerClient, { id }: Pick<Rendezvous, "id">): Promise<HttpResponse> {
  return client.get(pathOf(id));
}

export function write(
  client: ServerClient,
  { id, token }: Pick<Rendezvous, "id" | "token">,
  data: string,
): Promise<HttpResponse> {
  return client.put(pathOf(id), { sequence_token: token, data });
}

export function end(client: ServerClient, { id }: Pick<Rendezvous, "id">): Promise<HttpResponse> {
  return client.delete(pathOf(id));
}

/** What a session holds. @throws CheckFailure unless the server tells */
export async function contentOf(
  client: ServerClient,
  session: Pick<Rendezvous, "id">,
): Promise<Written> {
  const response = await read(client, session);
  const body = ok(response);
  return {
    data: textAt(body, "data"),
    token: opaqueAt(body, "sequence_token", response),
    expiresInMs: lifetimeAt(body, response),
    response,
  };
}

/** The token after a write. @throws CheckFailure unless it was taken */
export function tokenOf(response: HttpResponse): string {
  return opaqueAt(ok(response), "sequence_token", response);
}

function pathOf(id: string): string {
  return `${RENDEZVOUS}${path`/${id}`}`;
}

function opaqueAt(body: unknown, name: string, response: HttpResponse): string {
  const value = textAt(body, name);
  expectThat(OPAQUE.test(value), `an opaque identifier as ${name}`, at(body, name), response);
  return value;
}

function lifetimeAt(body: unknown, response: HttpResponse): number {
  const ms = numberAt(body, "expires_in_ms");
  expectThat(Number.isInteger(ms), "a whole number as expires_in_ms", ms, response);
  return ms;
}
