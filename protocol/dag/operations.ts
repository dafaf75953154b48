/** What users of a generated room do: drafts that are sensible often enough, allowed or not. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { publicKeyOf, signJson } from "#protocol/events/signatures";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { Branch, DagAuthor, Draft } from "./author.ts";
import type { Choice } from "./choice.ts";

const FOUNDER = "@alice:h1";
/** On three servers. */
const USERS = [FOUNDER, "@bob:h1", "@charlie:h2", "@dave:h3"] as const;

const SERVERS = ["h1", "h2", "h3"] as const;
const LEVELS = [-1, 0, 10, 25, 50, 50, 75, 100] as const;
const NAMED = [
  "users_default",
  "events_default",
  "state_default",
  "ban",
  "kick",
  "invite",
  "redact",
];
const TYPES = ["m.room.topic", "m.room.power_levels", "m.room.join_rules", "x.custom", "x.message"];

/** Who vouches for third-party identifiers; a key of generated rooms only, and no secret. */
const VOUCHER = { server: "h9", keyId: "ed25519:0", secret: new Uint8Array(32).fill(7) } as const;
const VOUCHER_KEY = publicKeyOf(VOUCHER.secret);
const TOKENS = ["t1", "t2"] as const;

/** A room in which things are done. */
export interface Scene {
  readonly choice: Choice;
  readonly author: DagAuthor;
  readonly branch: Branch;
}

type Operation = (scene: Scene, sender: string) => Draft;

const OPERATIONS: readonly (readonly [weight: number, operation: Operation])[] = [
  [6, join],
  [3, rename],
  [2, (scene, sender) => member(sender, sender, "leave", scene)],
  [3, (scene, sender) => member(sender, other(scene, sender), "leave", scene)],
  [3, (scene, sender) => member(sender, other(scene, sender), "ban", scene)],
  [2, (scene, sender) => member(sender, other(scene, sender), "invite", scene)],
  [1, (scene, sender) => member(sender, sender, "knock", scene)],
  [1, bringIn],
  [1, ({ author }, sender) => ({ ...joinOf(sender), prev: [author.create.id] })],
  [6, powerLevels],
  [4, joinRules],
  [3, topic],
  [2, custom],
  [1, message],
  [1, redaction],
  [1, thirdPartyInvite],
  [1, thirdPartyAnswer],
];
const ALIASES: (typeof OPERATIONS)[number] = [1, aliases];

/** Anything that a user might send here. */
export function randomDraft(scene: Scene): Draft {
  const { choice, author } = scene;
  const { hasAliasesRule } = author.version;
  const operation = choice.weighted(hasAliasesRule ? [...OPERATIONS, ALIASES] : OPERATIONS);
  return operation(scene, randomSender(scene));
}

/** Mostly somebody who is in the room: outsiders are refused for that alone, whatever they do. */
function randomSender({ choice, author, branch }: Scene): string {
  if (choice.chance(0.25)) return FOUNDER;
  const joined = USERS.filter(
    (user) => author.contentOf(branch, `m.room.member|${user}`).membership === "join",
  );
  return choice.pick(joined.length > 0 && choice.chance(0.6) ? joined : USERS);
}

/** The events that every room begins with. */
export function opening(choice: Choice, version: RoomVersion): readonly Draft[] {
  const additional =
    version.hasPrivilegedCreators && choice.chance(0.3)
      ? [choice.chance(0.05) ? "bob" : choice.pick(USERS)]
      : [];
  const creators: readonly string[] = [FOUNDER, ...additional];
  const users = Object.fromEntries(
    [
      [FOUNDER, 100] as const,
      ...USERS.slice(1).flatMap((user) =>
        choice.chance(0.5) ? [[user, choice.pick([25, 50, 50, 100])] as const] : [],
      ),
    ].filter(([user]) => !version.hasPrivilegedCreators || !creators.includes(user)),
  );
  const create = {
    ...(additional.length > 0 ? { additional_creators: additional } : {}),
    ...(choice.chance(0.05) ? { "m.federate": false } : {}),
  };
  const levels = state(FOUNDER, "m.room.power_levels", { users });
  return [
    state(FOUNDER, "m.room.create", create),
    joinOf(FOUNDER),
    // Rooms without power levels have rules of their own.
    ...(choice.chance(0.95) ? [levels] : []),
    state(FOUNDER, "m.room.join_rules", {
      join_rule: choice.chance(0.7) ? "public" : choice.pick(rulesOf(version)),
    }),
  ];
}

function state(sender: string, type: string, content: JsonObject, stateKey = ""): Draft {
  return { type, stateKey, sender, content };
}

function joinOf(user: string): Draft {
  return state(user, "m.room.member", { membership: "join" }, user);
}

function member(sender: string, target: string, membership: string, { choice }: Scene): Draft {
  const reason = choice.chance(0.2) ? { reason: `r${choice.integer(9)}` } : {};
  return state(sender, "m.room.member", { membership, ...reason }, target);
}

/** Somebody else. In a room that is not federated only of the same server, since there Synapse asks for more than the text. */
function other({ choice, author }: Scene, sender: string): string {
  const isClosed = author.create.content["m.federate"] === false;
  const others = USERS.filter((user) => user !== sender && !(isClosed && !user.endsWith(":h1")));
  return others.length === 0 ? sender : choice.pick(others);
}

function join({ choice, author }: Scene, sender: string): Draft {
  const draft = joinOf(sender);
  if (!author.version.hasRestrictedJoins || choice.chance(0.5)) return draft;
  const authoriser = { join_authorised_via_users_server: choice.pick(USERS) };
  return { ...draft, content: { ...draft.content, ...authoriser } };
}

/** What nobody can do for another. */
function bringIn(scene: Scene, sender: string): Draft {
  return member(sender, other(scene, sender), scene.choice.pick(["join", "knock"]), scene);
}

function rename({ choice }: Scene, sender: string): Draft {
  const content = { membership: "join", displayname: `d${choice.integer(99)}` };
  return state(sender, "m.room.member", content, sender);
}

function topic({ choice }: Scene, sender: string): Draft {
  const type = choice.pick(["m.room.topic", "m.room.name"]);
  return state(sender, type, { text: `t${choice.integer(99)}` });
}

function custom(scene: Scene, sender: string): Draft {
  const { choice } = scene;
  const stateKey = choice.pick(["", "k", sender, other(scene, sender)]);
  return state(sender, "x.custom", { value: choice.integer(99) }, stateKey);
}

function message({ choice }: Scene, sender: string): Draft {
  return { type: "x.message", stateKey: undefined, sender, content: { n: choice.integer(99) } };
}

function aliases({ choice }: Scene, sender: string): Draft {
  return state(sender, "m.room.aliases", { aliases: [] }, choice.pick(SERVERS));
}

function redaction({ choice, author }: Scene, sender: string): Draft {
  const known = choice.pick(author.events).id;
  const redacts = choice.chance(0.5) ? known : `gone:${choice.pick(SERVERS)}`;
  const draft = { type: "m.room.redaction", stateKey: undefined, sender };
  return author.version.hasRedactionsOf11
    ? { ...draft, content: { redacts: `$${redacts}` } }
    : { ...draft, content: {}, redacts };
}

function joinRules({ choice, author }: Scene, sender: string): Draft {
  const isOdd = choice.chance(0.1);
  const rule = isOdd
    ? choice.pick<JsonValue>(["private", "knock", "restricted", "knock_restricted", 5, null])
    : choice.pick(rulesOf(author.version));
  return state(sender, "m.room.join_rules", choice.chance(0.03) ? {} : { join_rule: rule });
}

function rulesOf(version: RoomVersion): readonly string[] {
  return [
    "public",
    "public",
    "invite",
    ...(version.hasKnocking ? ["knock"] : []),
    ...(version.hasRestrictedJoins ? ["restricted"] : []),
    ...(version.hasKnockRestricted ? ["knock_restricted"] : []),
  ];
}

function thirdPartyInvite({ choice }: Scene, sender: string): Draft {
  const key = { public_key: VOUCHER_KEY };
  const content = choice.chance(0.5) ? key : { public_keys: [key] };
  return state(sender, "m.room.third_party_invite", content, choice.pick(TOKENS));
}

function thirdPartyAnswer(scene: Scene, sender: string): Draft {
  const { choice } = scene;
  const target = other(scene, sender);
  const mxid = choice.chance(0.9) ? target : sender;
  const signed = vouch(mxid, choice.pick(TOKENS));
  const broken = { ...signed, mxid: target, extra: 1 };
  const content = {
    membership: "invite",
    third_party_invite: { signed: choice.chance(0.9) ? signed : broken },
  };
  return state(sender, "m.room.member", content, target);
}

const vouched = new Map<string, JsonObject>();

/** Signing is slow, and there are few to sign. */
function vouch(mxid: string, token: string): JsonObject {
  const key = `${mxid} ${token}`;
  let signed = vouched.get(key);
  if (signed === undefined) {
    const { server, keyId, secret } = VOUCHER;
    signed = signJson({ mxid, token }, server, keyId, secret);
    vouched.set(key, signed);
  }
  return signed;
}

function powerLevels(scene: Scene, sender: string): Draft {
  const { choice, author, branch } = scene;
  let content = author.contentOf(branch, "m.room.power_levels|");
  const changes = 1 + choice.integer(2);
  for (let change = 0; change < changes; change++) content = withOneLevel(content, scene);
  return state(sender, "m.room.power_levels", content);
}

function withOneLevel(content: JsonObject, { choice, author }: Scene): JsonObject {
  const value = levelIn(author.version, choice);
  const [map, key] = choice.weighted([
    [6, ["users", choice.pick(USERS)] as const],
    [2, ["events", choice.pick(TYPES)] as const],
    [4, ["notifications", "room"] as const],
    [3, [undefined, choice.pick(NAMED)] as const],
  ]);
  const inner = map === undefined ? content : content[map];
  const { [key]: _before, ...others } = isObject(inner) ? inner : {};
  const changed = choice.chance(0.2) ? others : { ...others, [key]: value };
  return map === undefined ? changed : { ...content, [map]: changed };
}

/** Texts and fractions where rooms may have them. */
function levelIn(version: RoomVersion, choice: Choice): JsonValue {
  const value = choice.pick(LEVELS);
  if (version.hasIntegerLevels || choice.chance(0.8)) return value;
  if (!version.isCanonicalJsonStrict && choice.chance(0.2)) return value + 0.5;
  return choice.pick([`${value}`, ` ${value} `, value < 0 ? `-0${-value}` : `+0${value}`]);
}
