/** From a call how long it took until members heard each other, and no longer. */
import { type CallFigure, mergedFigures } from "#harness/results/call-figures";
import type { CallTimeline, MemberLane, Span } from "#harness/results/call-timeline";
import { nameOf } from "./lanes.ts";

export function figuresOf({ members, to }: CallTimeline): readonly CallFigure[] {
  return mergedFigures(
    members.flatMap((listener) =>
      listener.hears.flatMap(({ of, spans }) => {
        const speaker = members.find((one) => nameOf(one) === of || one.user === of);
        if (speaker === undefined) return [];
        const heard = spans.filter(({ what }) => what === "heard");
        const subject = subjectOf(listener, speaker);
        return [
          {
            name: "join to first audio",
            subject,
            values: untilHeard(listener, speaker, heard),
          } as const,
          { name: "leave to silent", subject, values: untilSilent(speaker, heard, to) } as const,
        ];
      }),
    ),
  ).filter(({ values }) => values.length > 0);
}

function subjectOf({ server: one }: MemberLane, { server: other }: MemberLane): string {
  if (one === undefined || other === undefined) return "homeserver not known";
  return one === other ? "same homeserver" : "other homeserver";
}

/** When it was a member; of who publishes no membership, when it was on the SFU. */
function presence({ published, connected }: MemberLane): readonly Span[] {
  const members = published.filter(({ kind }) => kind !== "sticky");
  return members.length > 0 ? members : connected;
}

/** From when both are there, the later of the two, to the first sound. */
function untilHeard(
  listener: MemberLane,
  speaker: MemberLane,
  heard: readonly Span[],
): readonly number[] {
  return presence(speaker).flatMap((join) => {
    const first = heard.find(({ from }) => from >= join.from && from <= join.to);
    if (first === undefined) return [];
    const there = presence(listener).findLast(({ from }) => from <= first.from);
    return there === undefined ? [] : [first.from - Math.max(join.from, there.from)];
  });
}

/** What was heard at the leave counts until it stops, if it does. */
function untilSilent(speaker: MemberLane, heard: readonly Span[], to: number): readonly number[] {
  return presence(speaker)
    .filter((span) => span.to < to)
    .flatMap((leave) => {
      const last = heard.find((span) => span.from <= leave.to && span.to >= leave.to - BRIEF_MS);
      return last === undefined || last.to >= to ? [] : [Math.max(0, last.to - leave.to)];
    });
}

/** A client stops to speak just before it says that it leaves. */
const BRIEF_MS = 1_500;
