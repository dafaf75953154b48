/** Spoilt copies of the receiver, in which fuzzing must find something: proof that it can. */
import { RoomHistory } from "#protocol/state/room-history";
import { RECEIVER, type Receiver } from "./run.ts";

/** By what each does wrong. */
export const MUTANTS: Readonly<Record<string, Receiver>> = {
  "trusts-hashes": { ...RECEIVER, isHashValid: () => true },
  "trusts-signatures": { ...RECEIVER, verify: () => undefined },
  "trusts-content": {
    ...RECEIVER,
    history: (events, version) => {
      for (const { type, content } of events) {
        // The level as a number, whatever it is: what a careless port would do.
        if (type === "m.room.power_levels") (content.users_default as number).toFixed();
      }
      return new RoomHistory(events, version);
    },
  },
  "last-comes-first": {
    ...RECEIVER,
    history: (events, version) => new RoomHistory(events.slice(0, -1), version),
  },
};
