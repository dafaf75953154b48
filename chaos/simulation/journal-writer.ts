/** Writes down a simulation as it goes on, by the virtual clock. */

import type { Pdu } from "#chaos/events/make-event";
import type { JournalBody, JournalRecord, Moment } from "#chaos/journal/record";
import type { Via } from "#harness/replay/record";
import type { VirtualClock } from "./clock.ts";
import type { Received, Replica } from "./replica.ts";

export class JournalWriter {
  readonly records: JournalRecord[] = [];
  readonly #clock: VirtualClock;
  readonly #shown = new Set<string>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  write(body: JournalBody): void {
    this.records.push({ seq: this.records.length + 1, at: this.#clock.now, ...body });
  }

  arrive(
    server: string,
    { pdu, verdict, rejection }: Received,
    via: Via,
    from?: { readonly server: string; readonly txn?: string },
  ): void {
    this.show(pdu);
    this.write({
      t: "arrive",
      server,
      event_id: pdu.id,
      via,
      ...(from === undefined ? {} : { from: from.server }),
      ...(from?.txn === undefined ? {} : { txn: from.txn }),
      verdict,
      ...(rejection === undefined ? {} : { reason: rejection.why }),
    });
  }

  show({ id, json }: Pdu): void {
    if (this.#shown.has(id)) return;
    this.#shown.add(id);
    this.write({ t: "pdu", event_id: id, pdu: json });
  }

  state(server: string, replica: Replica, moment: Moment): void {
    this.write({
      t: "state",
      room: replica.roomId,
      server,
      moment,
      source: "computed",
      state: replica.history.named(replica.current),
      extremities: [...replica.extremities].sort(),
    });
  }
}
