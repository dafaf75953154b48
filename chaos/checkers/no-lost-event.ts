import { membershipOf } from "#chaos/journal/journal-room";
import type { JournalView, RecordOf } from "#chaos/journal/view";
import type { RequirementId } from "#harness/requirements/ids.generated";
import { domainOf } from "#protocol/auth/auth-event";
import type { Checker, Looking } from "./checker.ts";
import { isOwed, isSurelyVisible } from "./delivery.ts";
import { type QuietRoom, quietRooms } from "./quiet-room.ts";

export const noLostEvent: Checker = {
  name: "no-lost-event",
  statement:
    "an event that a server acknowledged is there wherever it is visible, any other one everywhere or nowhere",
  requirement: "FED.chaos.kill-durability",
  look(view, epoch, looking) {
    const acknowledged = new Map(
      view
        .until("step", epoch)
        .flatMap((step) =>
          (step.outcome === "ok" ? (step.events ?? []) : []).map((id) => [id, step]),
        ),
    );
    const rooms = new Map(quietRooms(view, epoch).map((quiet) => [quiet.room.id, quiet]));
    for (const [id, answers] of answersByEvent(view, epoch)) {
      lookAt(id, answers, { view, rooms, step: acknowledged.get(id), looking });
    }
  },
};

type Answer = RecordOf<"event">;

/** Of each event the last answer of each user. */
function answersByEvent(view: JournalView, epoch: number): Map<string, Map<string, Answer>> {
  const events = new Map<string, Map<string, Answer>>();
  for (const answer of view.during("event", epoch)) {
    const answers = events.get(answer.event_id) ?? new Map<string, Answer>();
    answers.set(`${answer.server} ${answer.user}`, answer);
    events.set(answer.event_id, answers);
  }
  return events;
}

interface Scene {
  readonly view: JournalView;
  readonly rooms: ReadonlyMap<string, QuietRoom>;
  /** By which it was acknowledged. */
  readonly step: RecordOf<"step"> | undefined;
  readonly looking: Looking;
}

function lookAt(id: string, answers: Map<string, Answer>, scene: Scene): void {
  const { view, rooms, step, looking } = scene;
  const all = [...answers.values()];
  const holders = all.filter(({ status }) => status === 200).map(({ server }) => server);
  const lost: Answer[] = [];
  for (const answer of all) {
    looking.at();
    if (answer.status === 200) continue;
    if (answer.status !== 404 && answer.status !== 403) {
      looking.find({
        outcome: "unknown",
        what: `${view.label(answer.server)} answers ${answer.status} when asked for ${id}`,
        room: answer.room,
        servers: [answer.server],
        events: [id],
      });
    } else if (isDue(id, answer, rooms.get(answer.room), step)) lost.push(answer);
  }
  const [first] = lost;
  if (first === undefined || (step === undefined && holders.length === 0)) return;
  const servers = [...new Set(lost.map(({ server }) => server))];
  const names = servers.map((server) => view.label(server)).join(", ");
  const quiet = rooms.get(first.room);
  const isOwn = servers.includes(step?.server ?? originOf(id, quiet) ?? "");
  // A server that joined anew by way of another one may have left a branch of its own behind.
  const isLeft = quiet !== undefined && !quiet.room.ancestors(quiet.ends).has(id);
  const isDuty = isOwn || (quiet?.mode !== "silent" && !isLeft);
  const requirement: RequirementId = isOwn
    ? "FED.chaos.kill-durability"
    : isDuty
      ? "FED.chaos.catch-up-nudged"
      : "FED.chaos.catch-up-silent";
  const why = step !== undefined ? "was acknowledged" : `is on ${view.label(holders[0] ?? "")}`;
  looking.find({
    outcome: isDuty ? "fail" : "reported",
    matter: "server",
    requirement,
    what: `${id} ${why} and is not on ${names}`,
    room: first.room,
    servers,
    events: [id],
  });
}

/** Whether the user has to get the event: it had to come to his server, and he may see it for sure. */
function isDue(
  id: string,
  { server, user }: Answer,
  quiet: QuietRoom | undefined,
  step: RecordOf<"step"> | undefined,
): boolean {
  const { room, truth, states } = quiet ?? {};
  if (room === undefined || truth === undefined) return false;
  // By its own state he may be out of it, for a reason that other checkers look at.
  const own = states?.get(server)?.state[`m.room.member|${user}`];
  if (own !== undefined && membershipOf(room.get(own)?.event) !== "join") return false;
  if (room.get(id) !== undefined) {
    return isOwed(room, id, server) && isSurelyVisible(room, id, user, truth);
  }
  // Nobody has it any more. Who sent it was told that it is there, and sees what he sent.
  const isAuthor = step?.by === user && step.server === server;
  return isAuthor && room.membership(truth, user) === "join";
}

function originOf(id: string, quiet: QuietRoom | undefined): string | undefined {
  const sender = quiet?.room.get(id)?.event.sender;
  return sender === undefined ? undefined : domainOf(sender);
}
