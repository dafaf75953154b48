/** What checks of state resolution share: a story is played to a server, and its state is read by the client API. */
import { HarnessError } from "#harness/errors";
import { mergeDag, type StagedDag, stageDag } from "#harness/peer/play-dag";
import { type RoomState, stateShown } from "#harness/peer/room-state";
import type { Mutant } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import type { DagFile } from "#protocol/dag/dag-file";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import type { JsonObject } from "#protocol/events/event";
import { stateResolutionStory } from "#scenarios/stories/state-resolution";

/** Classes of stories in which state is lost that nobody revoked. */
const RESETS = new Set(["A", "B", "C", "D"]);
const STATE = "/_matrix/client/v3/rooms/*/state";

/** A server that shows this content whatever it resolved; null: that there is none. */
export function shows(name: string, type: string, content: JsonObject | null): Mutant {
  const answer =
    content === null
      ? { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } }
      : { status: 200, body: content };
  return altersAnswer(name, { path: `${STATE}/${type}/**` }, { ...answer });
}

interface Played {
  readonly staged: StagedDag;
  /** Before the branches met and after, as clients get it. */
  readonly before: RoomState;
  readonly after: RoomState;
  /** What our resolver makes of the branches. */
  readonly resolved: RoomState;
}

/**
 * Plays a story of scenarios/stories/state-resolution in a room of this version and expects of the server the state that
 * the file gives, which is what the algorithm of the version says. Where that is a state reset a note tells of it: the
 * algorithm is at fault then, not the server.
 */
export async function expectResolved(world: World, story: string, version: string): Promise<void> {
  const played = await play(world, stateResolutionStory(story), version);
  const { staged, resolved } = played;
  const { file, present } = staged;
  confirm(staged, resolved, version);
  await expectAfter(played, resolved, version);
  if (present === undefined || !RESETS.has(file.className)) return;
  for (const key of contested(staged)) {
    const [was, is] = [present.state, resolved].map((state) => nameIn(staged, state.get(key)));
    const where = `${key.replace("\0", "|")}: ${was} became ${is}`;
    if (was !== is)
      world.note(`known-protocol-reset, class ${file.className}, version ${version}: ${where}`);
  }
}

/** Plays a story in which a stale state is served, and expects that it changes nothing. */
export async function expectKept(world: World, story: string, version: string): Promise<void> {
  const played = await play(world, stateResolutionStory(story), version);
  await expectAfter(played, played.before, version);
}

/** Plays any DAG and expects of the server what our resolver says. A note gives the DAG when it says something else. */
export async function expectOracle(world: World, file: DagFile, version: string): Promise<void> {
  try {
    const played = await play(world, file, version);
    await expectAfter(played, played.resolved, version);
  } catch (error) {
    world.note(`the DAG, of version ${version}: ${JSON.stringify(writeDagFile(file))}`);
    throw error;
  }
}

async function play(world: World, file: DagFile, version: string): Promise<Played> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const staged = await stageDag(peer, alice, file, version);
  const { room, present } = staged;
  const before = await stateShown(alice, room.roomId);
  if (present !== undefined)
    expectState(staged, before, present.state, `the state of ${version} before the branches meet`);
  const merge = await mergeDag(staged);
  const after = await stateShown(alice, room.roomId);
  return { staged, before, after, resolved: merge.before ?? new Map() };
}

async function expectAfter(
  { staged, after }: Played,
  expected: RoomState,
  version: string,
): Promise<void> {
  const { room, watcher } = staged;
  for (const key of contested(staged)) {
    const [type = "", stateKey = ""] = key.split("\0");
    const content = room.find(expected.get(key) ?? "")?.event.content;
    const what = `the content of ${type} in version ${version}`;
    expectEqual(await watcher.state(room.roomId, type, stateKey), content, what);
  }
  expectState(staged, after, expected, `the state after they met in ${version}`);
}

function expectState(staged: StagedDag, actual: RoomState, expected: RoomState, what: string) {
  const readable = (state: RoomState) =>
    Object.fromEntries(
      [...state].map(([key, id]) => [key.replace("\0", "|"), nameIn(staged, id)]).sort(),
    );
  expectEqual(readable(actual), readable(expected), what);
}

/** @throws HarnessError INTERNAL when our resolver says other than the file: with whoever watches it is another story then. */
function confirm({ file, names }: StagedDag, resolved: RoomState, version: string): void {
  const found = [...resolved.values()].flatMap((id) => names.get(id) ?? []).sort();
  const expected = Object.values(file.expected.get(version) ?? {}).sort();
  if (found.join() === expected.join()) return;
  throw new HarnessError("INTERNAL", {
    what: `${file.id} resolves otherwise in a real room of version ${version}`,
    facts: [`in the file: ${expected.join(", ")}`, `in the room: ${found.join(", ")}`],
  });
}

/** Keys that the state sets do not agree on. */
function contested({ sets }: StagedDag): readonly string[] {
  const keys = new Set(sets.flatMap(({ state }) => [...state.keys()]));
  return [...keys].filter((key) => new Set(sets.map(({ state }) => state.get(key))).size > 1);
}

function nameIn({ names }: StagedDag, eventId: string | undefined): string {
  return eventId === undefined ? "nothing" : (names.get(eventId) ?? eventId);
}
