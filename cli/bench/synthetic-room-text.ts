/** Synthetic rooms as NDJSON, as a server would have them: sizes are those of real events, hashes and signatures are not real. */
import { createHash } from "node:crypto";
import { createRandom } from "#harness/random";
import type { SyntheticRoom } from "#tardis/layout/synthetic-room";

const MOST_USERS = 500;
/** In small rooms there are fewer, or there would be nothing but joins. */
const EVENTS_A_USER = 20;
const SERVERS = 5;
const START_MS = 1_750_000_000_000;
const VERSION = "11";
const CREATOR = "@user0:server0.test";

interface Draft {
  readonly type: string;
  readonly state_key?: string;
  readonly sender: string;
  readonly content: object;
  /** Rows. */
  readonly previous: readonly number[];
  readonly auth: readonly number[];
}

/**
 * Users join one after the other, and then talk over one another; all of it is allowed. Ids are not those of the events: those
 * are not looked at when a file is read.
 *
 * @param stateShare of what they send then: topics and names, so that merges have something to resolve
 */
export function roomText(
  { edges: { offsets, targets }, servers }: SyntheticRoom,
  stateShare = 0,
): string {
  const { next } = createRandom("bench/state-room");
  const users = Math.max(SERVERS, Math.min(MOST_USERS, Math.floor(servers.length / EVENTS_A_USER)));
  const user = (number: number) => `@user${number}:server${number % SERVERS}.test`;
  const levels = { users: { [CREATOR]: 100 }, state_default: 0 };
  const state = (type: string, sender: string, content: object, key = "") => ({
    type,
    sender,
    content,
    state_key: key,
  });
  const create = state("m.room.create", CREATOR, { room_version: VERSION });
  const drafts: Draft[] = [{ ...create, previous: [], auth: [] }];
  const add = (draft: Omit<Draft, "previous" | "auth">, auth: readonly number[]) =>
    drafts.push({ ...draft, auth, previous: [drafts.length - 1] });
  add(state("m.room.member", CREATOR, { membership: "join" }, CREATOR), [0]);
  add(state("m.room.power_levels", CREATOR, levels), [0, 1]);
  add(state("m.room.join_rules", CREATOR, { join_rule: "public" }), [0, 1, 2]);
  /** Rows of the joins, by user. */
  const joins = [1];
  for (let number = 1; number < users; number++) {
    joins.push(drafts.length);
    const member = user(number);
    add(state("m.room.member", member, { membership: "join" }, member), [0, 2, 3]);
  }
  const base = drafts.length;
  for (let row = 1; drafts.length < servers.length; row++) {
    const number =
      SERVERS * Math.floor((next() * users) / SERVERS) + ((servers[row] ?? 0) % SERVERS);
    const sender = user(number);
    const kind = next();
    const join = joins[number] ?? 1;
    const previous = [...targets.subarray(offsets[row], offsets[row + 1])].map(
      (at) => base - 1 + at,
    );
    const draft =
      kind < stateShare / 2
        ? state("m.room.topic", sender, { topic: `topic ${row}` })
        : kind < stateShare
          ? state("m.room.member", sender, { membership: "join", displayname: `${row}` }, sender)
          : {
              type: "m.room.message",
              sender,
              content: { msgtype: "m.text", body: `message ${row} of this room` },
            };
    const isJoin = draft.type === "m.room.member";
    drafts.push({ ...draft, previous, auth: isJoin ? [0, 2, 3, join] : [0, 2, join] });
  }
  return textOf(drafts);
}

function textOf(drafts: readonly Draft[]): string {
  const ids = drafts.map((_, row) => `$${digest(`event ${row}`)}`);
  const lines = drafts.map(({ previous, auth, ...event }, row) =>
    JSON.stringify({
      event_id: ids[row],
      ...event,
      room_id: "!synthetic:server0.test",
      prev_events: previous.map((at) => ids[at]),
      auth_events: auth.map((at) => ids[at]),
      depth: row + 1,
      origin_server_ts: START_MS + 1_000 * row,
      hashes: { sha256: digest(`content ${row}`) },
      signatures: {
        [event.sender.replace(/^[^:]*:/, "")]: {
          "ed25519:1": digest(`one ${row}`) + digest(`two ${row}`),
        },
      },
    }),
  );
  return `${lines.join("\n")}\n`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
