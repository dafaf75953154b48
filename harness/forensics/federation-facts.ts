/** Facts of what goes between servers: transactions with their EDUs (server-server API, "EDUs"), and member events. */
import type { Exchange } from "#harness/gateway/exchange";
import { isObject, type JsonObject } from "#harness/match/json";
import { eventsIn } from "#harness/replay/traffic";
import type { Fact, Transaction } from "./facts.ts";
import { addressedIn, signaturesOf } from "./key-facts.ts";
import { roomEventIn } from "./room-facts.ts";
import { objects, text, type View } from "./view.ts";

export function transactionIn({ moment, request, path, origin, isRequestCut }: View): Fact {
  const edus = objects(request.edus);
  const contents = (type: string) =>
    edus.flatMap(({ edu_type, content }) =>
      edu_type === type && isObject(content) ? [content] : [],
    );
  return {
    ...moment,
    kind: "transaction",
    origin: text(request.origin) ?? origin,
    txn: path.at(-1) ?? "",
    toDevice: contents("m.direct_to_device").map((content) => ({
      messageId: text(content.message_id) ?? "",
      sender: text(content.sender) ?? "",
      addressed: addressedIn(text(content.type) ?? "", content.messages),
    })),
    updates: contents("m.device_list_update").flatMap(updateOf),
    isCut: isRequestCut,
  };
}

function updateOf(content: JsonObject): Transaction["updates"] {
  const [user, device] = [text(content.user_id), text(content.device_id)];
  if (user === undefined || device === undefined) return [];
  const { stream_id, prev_id, deleted, keys } = content;
  return [
    {
      user,
      device,
      streamId: typeof stream_id === "number" ? stream_id : undefined,
      previous: Array.isArray(prev_id) ? prev_id.filter((id) => typeof id === "number") : [],
      isDeleted: deleted === true,
      signatures: isObject(keys) ? signaturesOf(keys) : [],
    },
  ];
}

/** Member events that came to a server, or that it has told. */
export function carriedIn(exchange: Exchange, view: View): readonly Fact[] {
  if (view.moment.isServed !== true || !view.moment.isAnswered) return [];
  return (eventsIn(exchange)?.sightings ?? []).flatMap(({ pdu, to }) => {
    const room = text(pdu.room_id);
    return room === undefined ? [] : roomEventIn(view, room, pdu, to);
  });
}
