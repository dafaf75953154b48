/**
 * Plays a DAG file to a real server: its events come to pass in a room of a peer, and a last one follows all of its state
 * sets at once, so that the server has to resolve them.
 */
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { domainOf } from "#protocol/auth/auth-event";
import type { DagFile } from "#protocol/dag/dag-file";
import { withheld } from "./lies.ts";
import type { Pdu } from "./pdu.ts";
import type { Peer } from "./peer.ts";
import type { Draft, PeerRoom, RoomEntry } from "./room.ts";
import { speakersOf, type WrittenDag, type WrittenSet, writeDag } from "./write-dag.ts";

export interface StagedDag extends WrittenDag {
  readonly peer: Peer;
  readonly watcher: Session;
  /** The state set that the watcher's server has now; undefined when it has several branches. */
  readonly present: WrittenSet | undefined;
}

const PDUS_AT_MOST = 50;
/** All that was sent has to be processed first. */
const FENCE_MS = 30_000;
const API = "/_matrix/federation/v1";

/**
 * Brings about what happened before the branches meet: all events behind a state set in which a branch ends.
 *
 * @param watcher joins the room, by invite where it is not public
 * @throws HarnessError INTERNAL for a file that does not begin as rooms do
 */
export async function stageDag(
  peer: Peer,
  watcher: Session,
  file: DagFile,
  version: string,
): Promise<StagedDag> {
  const written = await writeDag(file, version, {
    found: (founding) => peer.createRoom(founding),
    userId: (user) => peer.user(user.slice(1).split(":")[0] ?? "user"),
    admit: (room, founder) => admit(peer, room, founder, watcher),
  });
  const client = peer.client(watcher.server.serverName);
  const history = historyOf(written);
  for (let at = 0; at < history.length; at += PDUS_AT_MOST) {
    ok(await client.send(history.slice(at, at + PDUS_AT_MOST)));
  }
  const { room, sets } = written;
  const ends = sets.filter(({ tip }) => tip !== undefined && !isFollowed(tip, written));
  const [end] = ends;
  const staged = { ...written, peer, watcher };
  if (end?.tip === undefined || ends.length > 1) return { ...staged, present: undefined };
  room.extremities = [end.tip];
  const sender = senderOf(written, peer.serverName);
  const fence = await peer.fence(room, watcher, { sender, deadlineMs: FENCE_MS });
  const present = { ...end, tip: fence.id };
  return { ...staged, sets: sets.map((set) => (set === end ? present : set)), present };
}

/**
 * Lets the branches meet; returns the event that follows them. The state before it is what our own resolver says.
 *
 * A state set in which no branch ends is served as a lie: the merge follows an event that only /event and /state_ids know,
 * as if the peer alone had kept that branch.
 */
export async function mergeDag(staged: StagedDag): Promise<RoomEntry> {
  const { room, sets, peer, watcher } = staged;
  const sender = senderOf(staged, peer.serverName);
  const tips = sets.flatMap(({ tip }) => tip ?? []);
  const lies = sets
    .filter(({ tip }) => tip === undefined)
    .map((set) => claim(peer, room, set, sender));
  const pdu = room.build({ ...message(sender), prevEvents: [...new Set([...tips, ...lies])] });
  const merge = room.add(pdu);
  if (merge.rejection !== undefined) {
    throw new HarnessError("INTERNAL", {
      what: "nothing can follow the branches of the DAG",
      facts: [merge.rejection.why],
    });
  }
  room.extremities = [pdu.id];
  // Nobody trusts what comes unasked from behind a gap: with a lie behind it, it is left to be asked for.
  if (lies.length === 0) ok(await peer.client(watcher.server.serverName).send([pdu]));
  await peer.fence(room, watcher, { sender, deadlineMs: FENCE_MS });
  return merge;
}

async function admit(peer: Peer, room: PeerRoom, founder: string, watcher: Session): Promise<void> {
  peer.serve(room);
  const rule = room.stateEvent("m.room.join_rules")?.content.join_rule;
  if (rule !== "public") await peer.invite(room, founder, watcher.userId);
  const query = { via: peer.serverName, server_name: peer.serverName };
  ok(await watcher.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, query));
}

/** What was written since the watcher joined, of the branches that exist, oldest first. */
function historyOf({ room, names, sets }: WrittenDag): readonly Pdu[] {
  const entries = [...room.entries];
  const tips = sets.flatMap(({ tip }) => tip ?? []);
  const past = room.ancestors(tips, { limit: entries.length, includesFrom: true });
  const ids = new Set(past.map(({ id }) => id));
  const joined = entries.findLastIndex(({ pdu }) => !names.has(pdu.id));
  return entries.slice(joined + 1).flatMap(({ pdu }) => (ids.has(pdu.id) ? [pdu] : []));
}

/** True when another state set lies behind it. */
function isFollowed(tip: string, { room, sets }: WrittenDag): boolean {
  const limit = [...room.entries].length;
  return sets.some(
    (set) =>
      set.tip !== undefined &&
      room.ancestors([set.tip], { limit, includesFrom: false }).some(({ id }) => id === tip),
  );
}

function senderOf(dag: WrittenDag, serverName: string): string {
  const speakers = speakersOf(dag);
  const sender = speakers.find((user) => domainOf(user) === serverName);
  if (sender !== undefined) return sender;
  throw new HarnessError("INTERNAL", {
    what: `nobody is left to send what follows the branches of ${dag.file.id}`,
    facts: [`may send messages: ${speakers.join(", ")}`],
  });
}

/** Makes an event of which the peer says that the state there was this; returns its id. */
function claim(peer: Peer, room: PeerRoom, { state }: WrittenSet, sender: string): string {
  const hidden = room.add(room.build(message(sender)), {
    stateBefore: state.values(),
    isRejected: false,
  });
  const claimed = room.add(room.build({ ...message(sender), prevEvents: [hidden.pdu.id] }));
  const gap = withheld(room, hidden.pdu.id, claimed.pdu.id);
  peer.on(`GET ${API}/event/{eventId}`, withheld(room, hidden.pdu.id));
  peer.on(`POST ${API}/get_missing_events/{roomId}`, gap);
  peer.on(`GET ${API}/backfill/{roomId}`, gap);
  return claimed.pdu.id;
}

function message(sender: string): Draft {
  return { type: "m.room.message", sender, content: { msgtype: "m.text", body: "and so on" } };
}
