/** The way of a parcel: each exchange that had it. */
import { transactionsWith } from "./case.ts";
import { type Evidence, keyOf } from "./evidence.ts";

export interface Hop {
  readonly at: number;
  readonly exchange: string;
  readonly kind: "up" | "federation" | "down";
  /** Devices as `user|device`, servers as the trace calls them. */
  readonly from: string;
  readonly to: string;
  readonly outcome: "came" | "lost" | "unknown";
}

export function hopsOf(evidence: Evidence, parcel: string): readonly Hop[] {
  const nameOf = (client: string | undefined) => {
    const owner = evidence.owner({ client });
    return owner === undefined ? "a client" : keyOf(owner);
  };
  const up = evidence.puts(parcel).map((put): Hop => {
    const has = put.got?.some(({ parcels }) => parcels.includes(parcel)) === true;
    const outcome = put.isServed === undefined ? "unknown" : has ? "came" : "lost";
    return {
      at: put.at,
      exchange: put.id,
      kind: "up",
      from: nameOf(put.client),
      to: put.to,
      outcome,
    };
  });
  const across = transactionsWith(evidence, parcel).map((one): Hop => {
    const outcome = one.isServed === true && one.isAnswered && one.status === 200 ? "came" : "lost";
    return {
      at: one.at,
      exchange: one.id,
      kind: "federation",
      from: one.from,
      to: one.to,
      outcome,
    };
  });
  const down = evidence.syncsWith(parcel).map((sync): Hop => {
    const has = sync.isAnswered && sync.parcels.some(({ id }) => id === parcel);
    return {
      at: sync.end,
      exchange: sync.id,
      kind: "down",
      from: sync.to,
      to: nameOf(sync.client),
      outcome: has ? "came" : "lost",
    };
  });
  return [...up, ...across, ...down].sort((a, b) => a.at - b.at);
}
