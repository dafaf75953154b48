/** Parcels as records of the replay format (docs/replay-format.md): arrows between devices, beside the room's events. */
import { REPLAY_FORMAT } from "#harness/replay/record";
import { keyOf } from "./evidence.ts";
import type { Utd } from "./explain.ts";
import { lineOf } from "./page.ts";

/** A room key on its way; readers that do not know `parcel` leave it out. */
export interface ParcelRecord {
  readonly t: "parcel";
  readonly id: string;
  readonly event_id: string;
  /** Devices, `user|device`. */
  readonly from: string;
  readonly to: string;
  readonly root: string;
  readonly hops: Utd["hops"];
}

/** Undefined: none was made, or none is known. */
export function parcelOf(utd: Utd): ParcelRecord | undefined {
  const { parcel: id, event, sender, target, hops, root } = utd;
  if (id === undefined) return undefined;
  const from =
    sender.device === undefined ? sender.user : keyOf({ ...sender, device: sender.device });
  return { t: "parcel", id, event_id: event, from, to: keyOf(target), root, hops };
}

type Line = { readonly seq: number; readonly at: number; readonly t: string } & Readonly<
  Record<string, unknown>
>;

/** One file for all verdicts: it is read beside the replay of their rooms. */
export function overlayOf(utds: readonly Utd[], tool: string): readonly Line[] {
  const bodies: { at: number; body: { readonly t: string } & Record<string, unknown> }[] = [];
  for (const utd of utds) {
    const { event, hops } = utd;
    const at = hops[0]?.at ?? utd.sentAt;
    const parcel = parcelOf(utd);
    if (parcel !== undefined) bodies.push({ at, body: { ...parcel } });
    bodies.push({ at: utd.sentAt, body: { t: "note", text: lineOf(utd), event_id: event } });
  }
  bodies.sort((a, b) => a.at - b.at);
  const rooms = [...new Set(utds.map(({ room }) => room))];
  const meta = { t: "meta", format: REPLAY_FORMAT, version: 1, rooms, tool };
  return [{ at: bodies[0]?.at ?? 0, body: meta }, ...bodies].map(({ at, body }, index) => ({
    seq: index + 1,
    at: Math.round(at),
    ...body,
  }));
}
