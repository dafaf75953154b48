/** Requests of sliding sync made at random: mostly of the right form, with values that no client would send. */
import fc from "fast-check";
import type { Dialect } from "#harness/clients/sliding-sync/dialect";
import type { JsonObject } from "#harness/match/json";

/** Stands for a room of the user. */
export const ROOM = "!room:hs1";

/** Values that are nothing in particular. */
export const junk = fc.oneof(
  fc.constantFrom(null, true, -1, 0, 1.5, "", "x", [], {}, [null], [[]], { "": null }),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, "\u0000", "💥".repeat(9), ROOM, "@user:hs1"),
);

/** Now and then a value that is none of the kind. */
function mostly(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 40, arbitrary: value }, { weight: 1, arbitrary: junk });
}

const flag = mostly(fc.boolean());
const limit = mostly(fc.constantFrom(0, 1, 5, 1_000));
const key = fc.constantFrom("all", "a", "b", "*");
const roomId = fc.constantFrom(ROOM, "!a", "!", "*", "$event", "#alias:hs1");
const type = fc.constantFrom("m.room.member", "m.room.create", "m.room.name", "*", "", "x");
const stateKey = fc.constantFrom("", "*", "$LAZY", "$ME", "$NOPE", "x", "@user:hs1");
const word = fc.constantFrom("", "m.favourite", "m.space", "x");
const index = fc.constantFrom(0, 1, 2, 99, Number.MAX_SAFE_INTEGER);
const range = mostly(fc.tuple(index, index));

function some(model: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<JsonObject> {
  return fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;
}

function few(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return mostly(fc.array(mostly(value), { maxLength: 3 }));
}

const filters = some({
  is_dm: flag,
  is_encrypted: flag,
  is_invite: flag,
  is_invited: flag,
  spaces: few(roomId),
  room_types: few(fc.oneof(word, fc.constant(null))),
  not_room_types: few(fc.oneof(word, fc.constant(null))),
  tags: few(word),
  not_tags: few(word),
  room_name_like: mostly(word),
});

function roomConfig({ name }: Dialect): Readonly<Record<string, fc.Arbitrary<unknown>>> {
  const elements = few(some({ type, state_key: stateKey }));
  const state =
    name === "stable"
      ? some({ include: elements, exclude: elements, lazy_members: flag })
      : fc.array(fc.tuple(type, stateKey), { maxLength: 3 });
  return { timeline_limit: limit, required_state: mostly(state) };
}

const extension = some({
  enabled: flag,
  limit,
  since: mostly(word),
  lists: few(key),
  rooms: few(roomId),
});

/** The body of a request. */
export function oddRequest(dialect: Dialect): fc.Arbitrary<JsonObject> {
  const config = roomConfig(dialect);
  const window =
    dialect.name === "stable" ? { range } : { ranges: mostly(fc.array(range, { maxLength: 2 })) };
  const list = fc.tuple(fc.record(config), some({ ...window, filters: mostly(filters) }));
  const extensions = Object.fromEntries(
    ["to_device", "e2ee", "account_data", "receipts", dialect.extensions.typing].map((name) => [
      name,
      mostly(extension),
    ]),
  );
  return some({
    conn_id: mostly(word),
    lists: mostly(
      fc.dictionary(
        key,
        list.map(([required, more]) => ({ ...required, ...more })),
        { maxKeys: 2 },
      ),
    ),
    room_subscriptions: mostly(fc.dictionary(roomId, fc.record(config), { maxKeys: 2 })),
    extensions: mostly(some(extensions)),
  });
}
