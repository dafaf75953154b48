/** Step 2: did the sender know of the device when it shared the session? */
import type { Case } from "../case.ts";
import { domainOf, isSame } from "../evidence.ts";
import type { KeyQuery, KeyUpload } from "../facts.ts";
import { bad, clock, good, type Judged, unknown } from "../judged.ts";

export function known(one: Case): Judged {
  const { evidence, event, target, attempts, sharedAt } = one;
  if (attempts.length > 0) return good("the sender had the device in its list");
  if (event.sender.device === undefined) {
    return unknown("the records do not tell which device sent the event");
  }
  const queries = evidence
    .by(event.sender, "query")
    .filter(({ asked, at }) => asked.includes(target.user) && at <= sharedAt);
  const last = queries.findLast(({ answer }) => answer !== undefined);
  if (last === undefined) return neverTold(one, queries);
  if (last.answer?.devices.some((device) => isSame(device, target))) {
    return good("the sender had the device in its list", last);
  }
  const upload = evidence
    .all("upload")
    .find(
      ({ device, isServed }) =>
        device !== undefined && isSame(device, target) && isServed !== false,
    );
  if (upload === undefined) return unknown("the records do not show the device's keys", last);
  if (upload.end > sharedAt) {
    return bad(
      "devicelist.race",
      `the device's keys came at ${clock(upload.end)}, after the sender had shared at ${clock(sharedAt)}`,
      upload,
      last,
    );
  }
  return last.at >= upload.end ? leftOut(one, last, upload) : notAsked(one, queries, last, upload);
}

function neverTold({ target }: Case, queries: readonly KeyQuery[]): Judged {
  const [failed] = queries;
  if (failed === undefined) {
    return bad("devicelist.stale", `the sender never asked for the devices of ${target.user}`);
  }
  return bad(
    "devicelist.stale",
    `${queries.length} queries for the devices of ${target.user} got no answer`,
    ...queries.slice(-3),
  );
}

/** It asked after the device was there, and the answer was without it. */
function leftOut(one: Case, query: KeyQuery, upload: KeyUpload): Judged {
  const { target } = one;
  if (query.said?.devices.some((device) => isSame(device, target))) {
    return bad(
      "devicelist.stale",
      "the server's answer had the device, and lost it on its way",
      query,
    );
  }
  const failing = query.answer?.failures.includes(domainOf(target.user))
    ? `, and told that ${domainOf(target.user)} did not answer`
    : "";
  const since = `the server's answer at ${clock(query.at)} was without the device, whose keys came at ${clock(upload.end)}${failing}`;
  return remoteRace(one, query, upload) ?? bad("devicelist.stale", since, query, upload);
}

/** The sender's list is from before the device: was it told of a change? */
function notAsked(
  one: Case,
  queries: readonly KeyQuery[],
  last: KeyQuery,
  upload: KeyUpload,
): Judged {
  const { evidence, event, target, sharedAt } = one;
  if (event.sender.device === undefined) return unknown("it is not known who sent the event");
  const syncs = evidence
    .by(event.sender, "sync")
    .filter(({ at, end, isAnswered }) => isAnswered && at >= upload.at && end <= sharedAt);
  const told = syncs.find(({ changed }) => changed.includes(target.user));
  if (told !== undefined) {
    const failed = queries.filter(({ at, answer }) => at >= told.at && answer === undefined);
    const open = evidence
      .by(event.sender, "query")
      .find(({ at, end, asked }) => asked.includes(target.user) && at >= told.at && end > sharedAt);
    return open !== undefined && failed.length === 0
      ? bad("devicelist.race", "the sender was asking for the change while it shared", told, open)
      : bad(
          "devicelist.stale",
          failed.length > 0
            ? `the sender was told of a change, and its ${failed.length} queries got no answer`
            : "the sender was told of a change and did not ask",
          told,
          ...failed.slice(-2),
        );
  }
  const stripped = syncs.find(({ said }) => said.changed.includes(target.user));
  if (stripped !== undefined) {
    return bad(
      "devicelist.stale",
      "the server told of the change, and it was lost on its way",
      stripped,
    );
  }
  // An initial sync tells of no change (client-server API, "Tracking the device list for a user").
  const deaf = syncs.find(({ since }) => since !== undefined);
  const race = remoteRace(one, last, upload);
  if (race === undefined && deaf === undefined && syncs.length > 0) {
    return bad(
      "devicelist.stale",
      "the sender had asked before its first sync, which tells of no change, and did not ask again",
      last,
      ...syncs.slice(0, 1),
    );
  }
  if (deaf === undefined || race?.root === "devicelist.race") {
    return (
      race ??
      bad(
        "devicelist.race",
        `the device's keys came at ${clock(upload.end)}, and the sender has not synced between that and ${clock(sharedAt)}`,
        upload,
        last,
      )
    );
  }
  return (
    race ??
    bad("devicelist.stale", "the server did not tell the sender of the change", deaf, upload)
  );
}

/** Between servers news takes its time: who can not have known yet was not wrong. Undefined: both are on one server. */
function remoteRace(one: Case, query: KeyQuery, upload: KeyUpload): Judged | undefined {
  const { evidence, event, target, sharedAt } = one;
  if (domainOf(event.sender.user) === domainOf(target.user)) return undefined;
  const transactions = evidence
    .all("transaction")
    .filter(({ updates }) => updates.some((update) => isSame(update, target)));
  const came = transactions.find(({ isServed, status }) => isServed !== false && status === 200);
  const failed = transactions.filter(
    ({ isServed, status }) => isServed === false || status !== 200,
  );
  const isCut = evidence.firings.some(
    ({ from, to, at }) =>
      from === upload.to && to === query.to && at >= upload.at && at <= sharedAt,
  );
  if (came !== undefined && came.end <= query.at) return undefined;
  if (failed.length > 0 || isCut) {
    return bad(
      "devicelist.stale",
      "the news of the device was stopped between the servers",
      upload,
      ...failed.slice(0, 2),
    );
  }
  if (came !== undefined) {
    return bad(
      "devicelist.race",
      `the news of the device came to the sender's server at ${clock(came.end)}, after it was needed`,
      upload,
      came,
    );
  }
  return evidence.all("transaction").length === 0
    ? undefined
    : bad("devicelist.stale", "the news of the device never went to the sender's server", upload);
}
