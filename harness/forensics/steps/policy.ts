/** Step 3: did the sender's policy keep the key from the device? */
import type { Case } from "../case.ts";
import { bad, clock, good, type Judged, unknown } from "../judged.ts";
import { type SignatureState, signatureState } from "./signed.ts";

export function policy(one: Case): Judged {
  const { attempt, attempts, native } = one;
  if (attempt?.parcel !== undefined) return good("the sender made a message for the device");
  const code = attempt?.withheld ?? native.withheld;
  switch (code) {
    case undefined:
      return attempts.length > 0 ? good("nothing was withheld") : unknown("nothing was withheld");
    case "m.no_olm":
      return good("the policy allowed it");
    case "m.unverified":
      return unverified(one);
    default:
      return bad("withheld.blacklisted", `the sender withheld the key: ${code}`);
  }
}

function unverified({ evidence, event, target, sharedAt }: Case): Judged {
  const withheld = "the sender withheld the key: m.unverified";
  if (event.sender.device === undefined) return bad("withheld.unverified", withheld);
  const state = signatureState(evidence, target, event.sender, sharedAt);
  const { stored, seen } = state;
  const why = staleSignature(state);
  if (why !== undefined) return bad(why.root, `${withheld}, though ${why.says}`, stored, seen);
  const lost =
    state.lost === undefined
      ? ""
      : `; a signature was sent at ${clock(state.lost.at)} and not stored`;
  return bad("withheld.unverified", `${withheld}, and it was not signed${lost}`, seen, state.lost);
}

/** Undefined: there was no signature, or it was known. */
export function staleSignature(
  state: SignatureState,
): { readonly root: "devicelist.stale" | "devicelist.race"; readonly says: string } | undefined {
  const { stored, seen, isSeen, isSaid, news, hasSynced, unanswered } = state;
  if (stored === undefined || isSeen) return undefined;
  const since = `the server had its signature since ${clock(stored.end)}`;
  if (isSaid) {
    return {
      root: "devicelist.stale",
      says: `${since}, and told of it in an answer that lost it on its way`,
    };
  }
  if (seen !== undefined && seen.at >= stored.end) {
    return {
      root: "devicelist.stale",
      says: `${since}, and answered without it at ${clock(seen.at)}`,
    };
  }
  if (unanswered !== undefined) {
    return {
      root: "devicelist.stale",
      says: `${since}, and the query at ${clock(unanswered.at)} got no answer in time`,
    };
  }
  if (news !== undefined) {
    return {
      root: "devicelist.stale",
      says: `${since}, and the change was told but not asked for`,
    };
  }
  return hasSynced
    ? { root: "devicelist.stale", says: `${since}, and did not tell of the change` }
    : {
        root: "devicelist.race",
        says: `${since}, and there was no sync in between that could tell`,
      };
}
