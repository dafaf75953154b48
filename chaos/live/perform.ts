/** Does one operation of a plan as the client of its author would, and tells how it went. */

import type { OperationFacts, OperationOutcome } from "#chaos/journal/record";
import { describe } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { at } from "#harness/match/json";
import type { Operation } from "#scenarios/plan";
import type { Actor, Cast } from "./cast.ts";
import { type Call, callOf, type Lookups } from "./requests.ts";
import { rethrowUnlessSilence, unlessSilent } from "./silence.ts";

export interface Performed {
  readonly outcome: OperationOutcome;
  readonly began: number;
  readonly status?: number;
  readonly errcode?: string;
  readonly message?: string;
  readonly txn?: string;
  /** Ids of the events that came of it. */
  readonly events: readonly string[];
  /** Of what was asked more than once: the event id of each answer. */
  readonly answers?: readonly string[];
  /** Of an upgrade: the room that it made. */
  readonly newRoom?: string;
}

/** When a client that goes away has surely sent its request. */
const ABORT_AFTER_MS = 25;
const LOOKUP_MS = 3_000;

/** @param timeoutMs after which an answer is no longer waited for */
export async function perform(
  operation: Operation,
  cast: Cast,
  lookups: Lookups,
  timeoutMs: number,
): Promise<Performed> {
  const author = cast.actor(operation.by);
  const began = Date.now();
  let call: Call | string;
  try {
    call = await callOf(operation, cast, author, lookups);
  } catch (error) {
    rethrowUnlessSilence(error);
    // What is asked first changes nothing.
    return { outcome: "fail", began, events: [], message: describe(error) };
  }
  if (typeof call === "string") return { outcome: "fail", began, events: [], message: call };
  const { txn } = call;
  const send = (signal?: AbortSignal) => sendCall(operation, author, call, timeoutMs, signal);
  const responses: Attempt[] = [];
  if (operation.client === "abort") await send(AbortSignal.timeout(ABORT_AFTER_MS));
  responses.push(await send());
  if (operation.client === "twice") responses.push(await send());
  const last = responses.findLast(({ outcome }) => outcome === "ok") ?? responses.at(-1);
  const { response, outcome, message } = last ?? { outcome: "unknown" as const };
  const told = responses.flatMap((attempt) => eventIn(attempt.response) ?? []);
  const found =
    told.length === 0 && outcome === "ok" ? await membershipEvent(operation, cast, author) : [];
  const errcode = at(response?.json, "errcode");
  const newRoom = at(response?.json, "replacement_room");
  return {
    outcome: outcome === "fail" && isAskedAgain(operation) ? "unknown" : outcome,
    began,
    ...(response === undefined ? {} : { status: response.status }),
    ...(typeof errcode === "string" ? { errcode } : {}),
    ...(message === undefined ? {} : { message }),
    ...(txn === undefined ? {} : { txn }),
    events: [...new Set([...told, ...found])],
    ...(operation.client !== undefined && txn !== undefined ? { answers: told } : {}),
    ...(typeof newRoom === "string" ? { newRoom } : {}),
  };
}

/** Without a transaction id the second request may be refused because the first one was not. */
function isAskedAgain({ client, op }: Operation): boolean {
  return client === "abort" && op !== "message" && op !== "redact";
}

interface Attempt {
  readonly outcome: OperationOutcome;
  readonly response?: HttpResponse;
  readonly message?: string;
}

async function sendCall(
  { ahead, op }: Operation,
  author: Actor,
  call: Call,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Attempt> {
  const { method, path: target, body, query } = call;
  const { appservice, login, session } = author;
  const client = ahead !== undefined ? appservice : op === "new-device" ? login.client : session;
  const asUser =
    ahead === undefined ? {} : { user_id: author.userId, ts: String(Date.now() + ahead) };
  try {
    const response = await client.request(method, target, {
      ...(body === undefined ? {} : { body }),
      query: { ...query, ...asUser },
      timeoutMs,
      signal,
    });
    const { status } = response;
    if (status < 300) return { outcome: "ok", response };
    const message = `${status} ${response.text.slice(0, 200)}`;
    return { outcome: status >= 500 ? "unknown" : "fail", response, message };
  } catch (error) {
    rethrowUnlessSilence(error);
    return { outcome: "unknown", message: describe(error) };
  }
}

function eventIn(response: HttpResponse | undefined): string | undefined {
  const id = at(response?.json, "event_id");
  return typeof id === "string" ? id : undefined;
}

/** Joins and knocks do not tell their event: the author's server shows it. */
async function membershipEvent(
  operation: Operation,
  cast: Cast,
  { session, userId }: Actor,
): Promise<readonly string[]> {
  if (operation.op !== "join" && operation.op !== "knock") return [];
  const room = cast.rooms.get(operation.room)?.id ?? "";
  const target = path`/_matrix/client/v3/rooms/${room}/state/m.room.member/${userId}`;
  const options = { query: { format: "event" }, timeoutMs: LOOKUP_MS };
  const json = (await unlessSilent(session.request("GET", target, options)))?.json;
  const id = at(json, "event_id");
  return at(json, "content", "membership") === operation.op && typeof id === "string" ? [id] : [];
}

/** The record of an operation. */
export function factsOf(
  { id, op, ...operation }: Operation,
  performed: Performed,
  cast: Cast,
): OperationFacts {
  const { userId, role } = cast.actor(operation.by);
  const room = "room" in operation ? cast.rooms.get(operation.room)?.id : undefined;
  const { outcome, began, status, errcode, txn, answers } = performed;
  return {
    step: id,
    op,
    by: userId,
    server: cast.serverName(role),
    ...(room === undefined ? {} : { room }),
    outcome,
    ...(status === undefined ? {} : { status }),
    ...(errcode === undefined ? {} : { errcode }),
    began,
    ...(txn === undefined ? {} : { txn }),
    ...(answers === undefined ? {} : { answers }),
  };
}
