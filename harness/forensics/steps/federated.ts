/** Step 6: did it go from server to server? */
import { type Case, transactionsWith } from "../case.ts";
import { domainOf } from "../evidence.ts";
import { bad, good, type Judged, skipped, unknown } from "../judged.ts";

export function federated({ evidence, event, target, attempt }: Case): Judged {
  if (domainOf(event.sender.user) === domainOf(target.user)) {
    return skipped("both are on one server");
  }
  const parcel = attempt?.parcel;
  if (parcel === undefined) return skipped("there is no message");
  const delivered = evidence.syncsWith(parcel)[0];
  const seen = transactionsWith(evidence, parcel);
  const taken = seen.find(
    ({ isServed, isAnswered, status }) => isServed === true && isAnswered && status === 200,
  );
  if (taken !== undefined) {
    const times = seen.length === 1 ? "" : `, in ${seen.length} transactions`;
    return good(`the other server took it${times}`, taken);
  }
  if (delivered !== undefined) return good("the other server got it", delivered);
  const [lost] = seen;
  if (lost !== undefined) {
    const isTaken = lost.isAnswered && lost.status === 200;
    return bad(
      "todevice.lost-federation",
      isTaken
        ? "the sender's server was told that it came, and the other one never got it"
        : `${seen.length} transactions with it did not get through`,
      ...seen.slice(-3),
    );
  }
  const put = evidence.puts(parcel).at(-1);
  const after = evidence.all("transaction").filter(({ at }) => put !== undefined && at >= put.at);
  const cut = after.find(({ isCut }) => isCut);
  if (cut !== undefined) return unknown("the trace does not have all transactions whole", cut);
  if (evidence.all("transaction").length === 0) {
    return unknown("the records show nothing that went between servers", put);
  }
  // As the trace calls the server that the device is on: what stops the way to others stops nothing of this.
  const theirs = [...evidence.by(target, "sync"), ...evidence.by(target, "upload")][0]?.to;
  const stopped = evidence.firings.find(
    ({ from, to, at }) =>
      put !== undefined && from === put.to && at >= put.at && (theirs ?? to) === to,
  );
  return stopped === undefined
    ? bad("todevice.lost-server", "the sender's server took it and sent it to no other", put)
    : bad(
        "todevice.lost-federation",
        `the link between the servers was stopped by "${stopped.rule}"`,
        put,
        { id: stopped.exchange },
      );
}
