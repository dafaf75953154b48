/** A run without what people wrote: rooms, their rules and who was in them stay, and so does what happened when. */
import type { JsonObject, JsonValue } from "#protocol/events/event";
import { isObject } from "#protocol/events/event";
import { redact } from "#protocol/events/redact";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { withKeys } from "#tardis/model/json";
import type { Run } from "#tardis/model/run";
import { withMeta } from "./write.ts";

/** Types whose content decides about other events, which redaction would not leave whole in each version. */
const RULES: ReadonlySet<unknown> = new Set([
  "m.room.create",
  "m.room.member",
  "m.room.power_levels",
  "m.room.join_rules",
  "m.room.history_visibility",
  "m.room.third_party_invite",
]);
/** Of those contents, what is only for people. */
const WORDS = ["displayname", "avatar_url", "reason", "display_name"];
/** Records without words of people; of others only the viewer's own are known to have none. */
const KNOWN: ReadonlySet<unknown> = new Set([
  "meta",
  "server",
  "arrive",
  "fault",
  "state",
  "verdict",
]);

/**
 * Contents are those that a redaction leaves, so that ids stay what they are; whether content is what was signed can no longer
 * be told. Texts of failures and bodies of exchanges go too, since they quote it.
 */
export function blankRun(run: Run): Run {
  const versions = new Map(run.rooms.map(({ id, version }) => [id, version]));
  const byId = new Map(run.pdus.map((pdu) => [pdu.eventId, pdu]));
  const records = run.records.flatMap((record) => {
    const { body } = record;
    const { event, json } = (body.t === "pdu" && byId.get(String(body.event_id))) || {};
    const version = versions.get(event?.roomId ?? "");
    if (json !== undefined && version !== undefined) {
      return [{ ...record, body: { ...body, pdu: blank(json, version) } }];
    }
    if (body.t === "http")
      return [{ ...record, body: withKeys(body, { without: ["request", "response"] }) }];
    if (body.t === "step") return [{ ...record, body: withKeys(body, { without: ["message"] }) }];
    return KNOWN.has(body.t) ? [record] : [];
  });
  return withMeta({ ...run, records }, { redacted: true });
}

function blank(pdu: JsonObject, version: RoomVersion): JsonObject {
  if (!RULES.has(pdu.type)) return redact(pdu, version);
  return { ...pdu, content: withoutWords(pdu.content ?? null) };
}

function withoutWords(value: JsonValue): JsonValue {
  if (!isObject(value)) return value;
  const kept = withKeys(value, { without: WORDS });
  return {
    ...kept,
    ...(isObject(kept.third_party_invite)
      ? { third_party_invite: withoutWords(kept.third_party_invite) }
      : {}),
  };
}
