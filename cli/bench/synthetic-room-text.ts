/** Synthetic rooms as NDJSON, as a server would have them: sizes are those of real events, hashes and signatures are not real. */
import { createHash } from "node:crypto";
import { createRandom } from "#harness/random";
import type { SyntheticRoom } from "#tardis/layout/synthetic-room";

const USERS = 500;
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

/** With ids that are not those of the events: those are not looked at when a file is read. */
export function roomText({ edges: { offsets, targets }, servers }: SyntheticRoom): string {
  return textOf(
    Array.from(servers, (server, row): Draft => {
      const sender = `@user${row % USERS}:server${server}.test`;
      const previous = [...targets.subarray(offsets[row], offsets[row + 1])];
      if (row === 0) {
        return { ...create(sender), previous, auth: [] };
      }
      const body = `message ${row} of this room`;
      const content = { msgtype: "m.text", body };
      const auth = [0, Math.min(row - 1, 1), Math.min(row - 1, 2)];
      return { type: "m.room.message", sender, content, previous, auth };
    }),
  );
}

/** A room of 500 users who change its state at all ends, so that merges have something to resolve; all of it is allowed. */
export function stateRoomText({ edges: { offsets, targets }, servers }: SyntheticRoom): string {
  const { next } = createRandom("bench/state-room");
  const user = (number: number) => `@user${number}:server${number % 5}.test`;
  const levels = { users: { [CREATOR]: 100 }, state_default: 0 };
  const state = (type: string, sender: string, content: object, key = "") => ({
    type,
    sender,
    content,
    state_key: key,
  });
  const drafts: Draft[] = [{ ...create(CREATOR), previous: [], auth: [] }];
  const add = (draft: Omit<Draft, "previous" | "auth">, auth: readonly number[]) =>
    drafts.push({ ...draft, auth, previous: [drafts.length - 1] });
  add(state("m.room.member", CREATOR, { membership: "join" }, CREATOR), [0]);
  add(state("m.room.power_levels", CREATOR, levels), [0, 1]);
  add(state("m.room.join_rules", CREATOR, { join_rule: "public" }), [0, 1, 2]);
  /** Rows of the joins, by user. */
  const joins = [1];
  for (let number = 1; number < USERS; number++) {
    joins.push(drafts.length);
    const member = user(number);
    add(state("m.room.member", member, { membership: "join" }, member), [0, 2, 3]);
  }
  const base = drafts.length;
  for (let row = 1; drafts.length < servers.length; row++) {
    const number = Math.floor(next() * USERS);
    const sender = number === 0 ? CREATOR : user(number);
    const kind = next();
    const join = joins[number] ?? 1;
    const previous = [...targets.subarray(offsets[row], offsets[row + 1])].map(
      (at) => base - 1 + at,
    );
    const draft =
      kind < 0.1
        ? state("m.room.topic", sender, { topic: `topic ${row}` })
        : kind < 0.2
          ? state("m.room.member", sender, { membership: "join", displayname: `${row}` }, sender)
          : {
              type: "m.room.message",
              sender,
              content: { msgtype: "m.text", body: `message ${row}` },
            };
    const isJoin = draft.type === "m.room.member";
    drafts.push({ ...draft, previous, auth: isJoin ? [0, 2, 3, join] : [0, 2, join] });
  }
  return textOf(drafts);
}

function create(sender: string) {
  return { type: "m.room.create", state_key: "", sender, content: { room_version: VERSION } };
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
