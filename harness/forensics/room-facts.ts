/** Facts of rooms: who is in them, and which encrypted events there are. */

import { digest } from "#harness/clients/crypto/parcel";
import { sessionPlace } from "#harness/clients/crypto/session-place";
import { isObject, type JsonObject } from "#harness/match/json";
import type { Fact } from "./facts.ts";
import { objects, text, texts, type View } from "./view.ts";

/** What an event shows by being seen at the server that answers. */
export function roomEventIn(
  { moment }: View,
  room: string,
  event: JsonObject,
  server = moment.to,
): readonly Fact[] {
  const { type, sender, state_key, content, event_id, origin_server_ts: ts } = event;
  if (!isObject(content)) return [];
  if (type === "m.room.member" && typeof state_key === "string") {
    const membership = text(content.membership);
    if (membership === undefined) return [];
    const since = typeof ts === "number" ? Math.min(ts, moment.end) : moment.end;
    return [{ ...moment, kind: "membership", room, user: state_key, membership, server, since }];
  }
  if (type !== "m.room.encrypted" || typeof event_id !== "string") return [];
  const { sessionId, index } = sessionPlace(content);
  const ciphertext = digest(text(content.ciphertext) ?? "");
  return [
    {
      ...moment,
      kind: "event",
      how: "shown",
      event: event_id,
      room,
      sender: text(sender),
      session: sessionId,
      index,
      ciphertext,
      said: ciphertext,
      ts: typeof ts === "number" ? ts : undefined,
    },
  ];
}

export function sentIn({ moment, path, request, got, answer, said }: View): readonly Fact[] {
  const [room = "", , type] = path.slice(-4);
  const event = text(answer?.event_id) ?? text(said?.event_id);
  if (type !== "m.room.encrypted" || event === undefined) return [];
  const { sessionId, index } = sessionPlace(request);
  return [
    {
      ...moment,
      kind: "event",
      how: "sent",
      event,
      room,
      sender: undefined,
      session: sessionId,
      index,
      ciphertext: digest(text(request.ciphertext) ?? ""),
      said: digest(text((got ?? request).ciphertext) ?? ""),
      ts: undefined,
    },
  ];
}

const MEMBERSHIPS: Readonly<Record<string, string>> = {
  join: "join",
  leave: "leave",
  invite: "invite",
  kick: "leave",
  ban: "ban",
  unban: "leave",
  knock: "knock",
};

/** A membership that the server has taken: `POST /rooms/{roomId}/join` and the like. */
export function membershipIn({ moment, path, request, answer, said }: View): readonly Fact[] {
  const [before = "", last = ""] = path.slice(-2);
  const [verb, room] =
    before === "join" || before === "knock"
      ? [before, text((answer ?? said)?.room_id) ?? last]
      : [last, before];
  const membership = MEMBERSHIPS[verb];
  if (membership === undefined || (answer ?? said) === undefined) return [];
  const user = ["invite", "kick", "ban", "unban"].includes(verb)
    ? text(request.user_id)
    : undefined;
  return [
    { ...moment, kind: "membership", room, user, membership, server: moment.to, since: moment.end },
  ];
}

export function creationIn({ moment, request, answer, said }: View): readonly Fact[] {
  const room = text((answer ?? said)?.room_id);
  if (room === undefined) return [];
  const common = {
    ...moment,
    kind: "membership",
    room,
    server: moment.to,
    since: moment.end,
  } as const;
  return [
    { ...common, user: undefined, membership: "join" },
    ...texts(request.invite).map((user): Fact => ({ ...common, user, membership: "invite" })),
  ];
}

export function membersIn(view: View): readonly Fact[] {
  const { moment, path, answer } = view;
  if (answer === undefined) return [];
  const room = path.at(-2) ?? "";
  const chunk = objects(answer.chunk);
  const users = chunk.flatMap(({ type, state_key, content }) =>
    type === "m.room.member" &&
    typeof state_key === "string" &&
    isObject(content) &&
    (content.membership === "join" || content.membership === "invite")
      ? [state_key]
      : [],
  );
  return [
    { ...moment, kind: "members", room, users },
    ...chunk.flatMap((event) => roomEventIn(view, room, event)),
  ];
}
