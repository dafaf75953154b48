/** Step 5: did the sender send it, and did its server get it? */
import { type Case, shares } from "../case.ts";
import { isSame } from "../evidence.ts";
import type { ToDevicePut } from "../facts.ts";
import { bad, clock, good, type Judged, unknown } from "../judged.ts";

export function sent(one: Case): Judged {
  const { evidence, attempt, target } = one;
  if (attempt?.parcel === undefined) return nothingMade(one);
  const { parcel } = attempt;
  const puts = evidence.puts(parcel);
  const [first] = puts;
  if (first === undefined) return neverSent(one, attempt.at);
  const taken = puts.find((put) => put.isServed === true && has(put.got, parcel));
  if (taken !== undefined) return good("the sender's server got it", taken);
  const delivered = evidence.syncsWith(parcel)[0];
  if (delivered !== undefined) return good("the sender's server got it", delivered);
  const changed = puts.find(
    ({ got = [] }) =>
      !has(got, parcel) && got.some((to) => isSame(to, target) && to.parcels.length > 0),
  );
  if (changed !== undefined) return bad("tampering", "it was changed on its way up", changed);
  const maybe = puts.find(({ isServed, got }) => isServed === undefined && has(got, parcel));
  if (maybe !== undefined) {
    return unknown("the sender gave up before the answer: its server may have it or not", maybe);
  }
  const answered = puts.find(({ isAnswered, status }) => isAnswered && status === 200);
  return answered === undefined
    ? bad("todevice.lost-upstream", `${puts.length} requests with it did not get through`, ...puts)
    : bad(
        "todevice.lost-upstream",
        "the sender was told that all is well, and its server never got it",
        answered,
      );
}

function has(addressed: ToDevicePut["got"], parcel: string): boolean {
  return addressed?.some(({ parcels }) => parcels.includes(parcel)) === true;
}

function neverSent({ evidence, event }: Case, madeAt: number): Judged {
  const { sender } = event;
  const end =
    sender.device === undefined
      ? undefined
      : evidence.told(sender, "stop").find(({ at }) => at >= madeAt);
  const how =
    end === undefined
      ? ""
      : `; the sender's client came to its end (${end.how}) at ${clock(end.at)}`;
  return bad("todevice.not-sent", `it was made at ${clock(madeAt)} and never sent${how}`);
}

/** The device was known, nothing was withheld, and there is no message. */
function nothingMade(one: Case): Judged {
  const { evidence, event, target } = one;
  const { sender } = event;
  if (sender.device === undefined) return unknown("it is not known who sent the event");
  const own = new Set(shares(evidence, event));
  const earlier = evidence
    .told(sender, "shares")
    .find(
      (share) =>
        !own.has(share) &&
        share.room === event.room &&
        share.at <= event.at &&
        share.requests.some(({ targets }) =>
          targets.some((to) => isSame(to, target) && to.parcel !== undefined),
        ),
    );
  return earlier === undefined
    ? bad("missing-key.not-sent", "the sender knew the device and made no message for it")
    : bad(
        "missing-key.rotation",
        `the device got an earlier session of the room at ${clock(earlier.at)}, and not this one`,
      );
}
