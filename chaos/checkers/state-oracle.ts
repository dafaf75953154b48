import { type Checker, type Looking, some } from "./checker.ts";
import { isWithoutMainline } from "./empty-mainline.ts";
import { differingKeys, type QuietRoom, quietRooms } from "./quiet-room.ts";

export const stateOracle: Checker = {
  name: "state-oracle",
  statement: "a server's state is what state resolution gives for the events that it has",
  requirement: "FED.chaos.state-oracle",
  look(view, epoch, looking) {
    for (const quiet of quietRooms(view, epoch)) {
      for (const server of quiet.states.keys()) lookAt(quiet, server, looking);
    }
  },
};

function lookAt(quiet: QuietRoom, server: string, looking: Looking): void {
  const { view, room, truth, states } = quiet;
  const shown = states.get(server)?.state ?? {};
  const place = { room: room.id, servers: [server] };
  if (room.history === undefined) {
    looking.because("no events of a room of a known version were seen");
    return;
  }
  looking.at();
  const expected = quiet.expected(server);
  if (expected === undefined) {
    // It may be right all the same.
    const isTruth =
      truth !== undefined &&
      room.areWhole(quiet.ends) &&
      differingKeys(room.history.named(truth), shown).length === 0;
    if (isTruth) return;
    const holes = room.holes(states.get(server)?.extremities ?? []);
    const why =
      holes.length > 0
        ? `nobody has shown ${some("event", holes)}`
        : "its extremities are not known";
    const what = `the state of ${view.label(server)} can not be judged: ${why}`;
    looking.find({ outcome: "unknown", what, ...place });
    return;
  }
  const keys = differingKeys(expected, shown);
  if (keys.length === 0) return;
  const told = keys.map(
    (key) => `${key} is ${shown[key] ?? "nothing"} for ${expected[key] ?? "nothing"}`,
  );
  const isOpen = isWithoutMainline(room, states.get(server)?.extremities ?? [], keys);
  looking.find({
    outcome: isOpen ? "reported" : "fail",
    matter: "server",
    requirement: isOpen ? "FED.stateres.v21.empty-mainline" : "FED.chaos.state-oracle",
    what: `${view.label(server)} has not what the rules give: ${told.slice(0, 3).join("; ")}`,
    events: [...new Set(keys.flatMap((key) => [shown[key] ?? [], expected[key] ?? []].flat()))],
    ...place,
  });
}
