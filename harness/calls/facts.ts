/** What exchanges tell of calls: events that stick or are delayed, tokens, connections to SFUs, keys on their way. */
import { createHash } from "node:crypto";
import { LEGACY_MEMBER, MEMBER_TYPES, STICKY } from "#harness/clients/rtc/names";
import { entries, objects, text, type View } from "#harness/forensics/view";
import { SCRUBBED } from "#harness/gateway/scrub";
import { at, isObject, type JsonObject } from "#harness/match/json";

/** Who did it: a client as the trace names it; of what a server showed, the sender alone is known. */
interface Base {
  readonly at: number;
  readonly client: string | undefined;
  /** Place from which the exchange came. */
  readonly from: string;
}

export interface EventFacts {
  readonly room: string;
  readonly type: string;
  readonly stateKey: string | undefined;
  readonly content: JsonObject;
  readonly stickyMs: number | undefined;
}

export type CallFact =
  | (Base & EventFacts & { readonly kind: "sent"; readonly eventId: string | undefined })
  | (Base &
      EventFacts & { readonly kind: "scheduled"; readonly id: string; readonly delayMs: number })
  | (Base & { readonly kind: "acted"; readonly id: string; readonly action: string })
  | (Base & { readonly kind: "delegated"; readonly id: string })
  /** A server showed it, to a client or to another server. */
  | (Base &
      EventFacts & {
        readonly kind: "seen";
        readonly eventId: string | undefined;
        readonly sender: string;
        readonly sentAt: number;
      })
  | (Base & { readonly kind: "put out"; readonly room: string; readonly user: string | undefined })
  | (Base & {
      readonly kind: "token";
      readonly isGiven: boolean;
      /** What the SFU may know the member by, without the user's own name. */
      readonly memberId: string | undefined;
      readonly user: string | undefined;
      readonly device: string | undefined;
      readonly sfuRoom: string;
    })
  | (Base & {
      readonly kind: "on sfu";
      /** Place of the SFU. */
      readonly sfu: string;
      readonly identity: string;
      readonly sfuRoom: string;
      readonly isOn: boolean;
      readonly since: number | undefined;
    })
  | (Base & {
      readonly kind: "key sent";
      readonly index: number | undefined;
      readonly digest: string | undefined;
    });

/** Types of messages with keys: MSC4143 §Key distribution, and as deployed. */
const KEY_TYPES = /(?:^m\.|\.)rtc\.encryption_keys?$|^io\.element\.call\.encryption_keys$/;
/** Names of the parameters of MSC4140's older form and of MSC4354. */
const DELAY = "org.matrix.msc4140.delay";
const STICKY_MS = ["org.matrix.msc4354.sticky_duration_ms", "sticky_duration_ms"];
const DIGITS = 8;
/** Of requests that name none (MSC4195 of before slots). */
const LEGACY_SLOT = "m.call#ROOM";

/** @param view of an exchange */
export function callFactsOf(view: View): readonly CallFact[] {
  const { moment, method, path } = view;
  const base: Base = { at: moment.at, client: moment.client, from: moment.from };
  const last = path.at(-1);
  if (method === "POST" && last === "sfu_webhook") return ofWebhook(view, base);
  if (method === "POST" && last === "GetParticipant") return ofParticipant(view, base);
  if (method === "POST" && last === "delegate_delayed_leave") {
    const id = text(view.request.delay_id);
    const isDone = view.said !== undefined && id !== undefined;
    return isDone ? [{ ...base, kind: "delegated", id }] : [];
  }
  if (method === "POST" && (last === "get_token" || (last === "get" && path.at(-2) === "sfu")))
    return ofToken(view, base);
  if (method === "POST" && path.includes("delayed_events")) return ofAction(view, base);
  if (method === "PUT" && path.includes("sendToDevice")) return ofKeys(view, base);
  if (method === "POST" && ["kick", "ban", "leave"].includes(last ?? "")) {
    const room = roomIn(path);
    if (room === undefined || view.said === undefined) return [];
    const user = last === "leave" ? undefined : text(view.request.user_id);
    return [{ ...base, kind: "put out", room, user }];
  }
  if (method === "PUT" && path[1] === "federation" && path.includes("send"))
    return objects(view.got?.pdus).flatMap((pdu) => ofShown(pdu, undefined, base));
  if (method === "PUT" && moment.from === "client") return ofSend(view, base);
  if (method === "GET" || last === "sync")
    return shownIn(view.answer, undefined, { ...base, at: moment.end }, 0);
  return [];
}

function roomIn(path: readonly string[]): string | undefined {
  return path[path.indexOf("rooms") + 1];
}

function ofSend(
  { path, query, got, said, request, moment }: View,
  base: Base,
): readonly CallFact[] {
  const [room = "", endpoint = "", type = "", last] = path.slice(path.indexOf("rooms") + 1);
  if (!path.includes("rooms") || said === undefined) return [];
  const isState = endpoint === "state";
  const isDelayed = endpoint === "delayed_event";
  if (!isState && !isDelayed && endpoint !== "send") return [];
  const body = got ?? request;
  const content = isDelayed && isObject(body.content) ? body.content : body;
  const sticky = STICKY_MS.map((name) => query.get(name)).find((one) => one !== null);
  const event: EventFacts = {
    room,
    type,
    stateKey: isState ? (last ?? "") : isDelayed ? text(body.state_key) : undefined,
    content,
    stickyMs: finite(sticky),
  };
  const id = text(said.delay_id);
  const delayMs = finite(isDelayed ? body.delay_ms : query.get(DELAY));
  if (id !== undefined && delayMs !== undefined)
    return [{ ...base, ...event, kind: "scheduled", at: moment.end, id, delayMs }];
  return [{ ...base, ...event, kind: "sent", eventId: text(said.event_id) }];
}

function ofAction({ path, request, said }: View, base: Base): readonly CallFact[] {
  const [id, action = text(request.action)] = path.slice(path.indexOf("delayed_events") + 1);
  if (id === undefined || action === undefined || said === undefined) return [];
  return [{ ...base, kind: "acted", id, action }];
}

function ofToken({ request, said, moment }: View, base: Base): readonly CallFact[] {
  const room = text(request.room_id) ?? text(request.room);
  if (room === undefined) return [];
  const slot = text(request.slot_id);
  return [
    {
      ...base,
      at: moment.end,
      kind: "token",
      isGiven: said !== undefined,
      memberId: text(request.member_id) ?? text(at(request, "member", "id")),
      user: text(at(request, "member", "claimed_user_id")) ?? text(request.user_id),
      device: text(at(request, "member", "claimed_device_id")) ?? text(request.device_id),
      sfuRoom: hashOf(room, slot ?? LEGACY_SLOT),
    },
  ];
}

/** Webhooks of LiveKit: of participants without media it tells only that they have gone. */
function ofWebhook({ request, moment }: View, base: Base): readonly CallFact[] {
  const event = text(request.event);
  const identity = text(at(request, "participant", "identity"));
  if (identity === undefined || event === undefined) return [];
  const isOn = event === "participant_joined";
  if (!isOn && !/^participant_(?:left|connection_aborted)$/.test(event)) return [];
  const sfuRoom = text(at(request, "room", "name")) ?? "";
  const since = finite(at(request, "participant", "joinedAtMs"));
  return [{ ...base, kind: "on sfu", sfu: moment.from, identity, sfuRoom, isOn, since }];
}

/** What the service asks the SFU of a participant. */
function ofParticipant({ request, answer, moment }: View, base: Base): readonly CallFact[] {
  const identity = text(request.identity);
  if (identity === undefined || (answer === undefined && moment.status !== 404)) return [];
  const sfuRoom = text(request.room) ?? "";
  const isOn = answer !== undefined && answer.state !== "DISCONNECTED";
  const since = finite(answer?.joined_at_ms ?? answer?.joinedAtMs);
  const [end, sfu] = [moment.end, moment.to];
  return [{ ...base, at: end, kind: "on sfu", sfu, identity, sfuRoom, isOn, since }];
}

function ofKeys({ path, request, said }: View, base: Base): readonly CallFact[] {
  const type = path[path.indexOf("sendToDevice") + 1] ?? "";
  if (!KEY_TYPES.test(type) || said === undefined) return [];
  const marks = new Map<string, { index: number | undefined; digest: string | undefined }>();
  for (const [, devices] of entries(request.messages))
    for (const [, content] of entries(devices)) {
      const given = at(content, "media_key") ?? at(content, "keys");
      for (const key of Array.isArray(given) ? objects(given) : isObject(given) ? [given] : []) {
        const index = finite(key.index);
        const value = text(key.key);
        const digest = value === undefined ? undefined : keyDigest(value);
        marks.set(`${index} ${digest}`, { index, digest });
      }
    }
  return [...marks.values()].map((mark) => ({ ...base, kind: "key sent", ...mark }));
}

/** Deeper than any answer of the client API has events. */
const MAX_DEPTH = 8;

/** Events anywhere in an answer. @param room in which they are, where they do not say it */
function shownIn(
  value: unknown,
  room: string | undefined,
  base: Base,
  depth: number,
): readonly CallFact[] {
  if (depth > MAX_DEPTH) return [];
  if (Array.isArray(value)) return value.flatMap((one) => shownIn(one, room, base, depth + 1));
  if (!isObject(value)) return [];
  const shown = ofShown(value, room, base);
  if (shown.length > 0) return shown;
  return Object.entries(value).flatMap(([key, one]) =>
    shownIn(one, key.startsWith("!") ? key : room, base, depth + 1),
  );
}

function ofShown(event: JsonObject, room: string | undefined, base: Base): readonly CallFact[] {
  const { type, sender, content, origin_server_ts: sentAt } = event;
  if (typeof type !== "string" || typeof sender !== "string") return [];
  if (!isObject(content) || typeof sentAt !== "number" || !Number.isFinite(sentAt)) return [];
  return [
    {
      ...base,
      kind: "seen",
      room: text(event.room_id) ?? room ?? "",
      type,
      stateKey: text(event.state_key),
      content,
      stickyMs: finite(at(event, STICKY, "duration_ms") ?? at(event, "sticky", "duration_ms")),
      eventId: text(event.event_id),
      sender,
      sentAt,
    },
  ];
}

/** True of events that say who is in a call. */
export function isMemberType(type: string): boolean {
  return MEMBER_TYPES.includes(type) || type === LEGACY_MEMBER;
}

/** Beginning of the SHA-256 of a key, of its bytes. */
function keyDigest(key: string): string | undefined {
  if (key === SCRUBBED) return undefined;
  return createHash("sha256").update(Buffer.from(key, "base64")).digest("hex").slice(0, DIGITS);
}

/** Unpadded base64 of the SHA-256 of canonical JSON (MSC4195 §Mapping MatrixRTC members to LiveKit). */
export function hashOf(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64").replace(/=+$/, "");
}

function finite(value: unknown): number | undefined {
  if (value === null || value === undefined || value === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}
