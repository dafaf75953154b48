/** Whether a signature existed when somebody acted as if it did not: an old list, or a device that nobody has signed. */
import { type DeviceName, type Evidence, isSame } from "../evidence.ts";
import type { DeviceLists, KeyQuery, KnownDevice, Moment } from "../facts.ts";

export interface SignatureState {
  /** The server has it since. */
  readonly stored: Moment | undefined;
  /** Sent, and never stored. */
  readonly lost: Moment | undefined;
  /** The last answer that the other one had of the device, and whether it was signed in it. */
  readonly seen: KeyQuery | undefined;
  readonly isSeen: boolean;
  /** The server's own answer had it. */
  readonly isSaid: boolean;
  /** Told of a change between the signature and then. */
  readonly news: Moment | undefined;
  readonly hasSynced: boolean;
  /** Asked since the signature, in vain. */
  readonly unanswered: Moment | undefined;
}

/** @param by who judges the device @param until when it did */
export function signatureState(
  evidence: Evidence,
  device: DeviceName,
  by: DeviceName,
  until: number,
): SignatureState {
  const keys = selfSigningKeys(evidence, device.user);
  const isSigned = (known: KnownDevice | undefined) =>
    known?.signatures.some(
      (signature) =>
        signature.startsWith(`${device.user}|`) &&
        keys.has(signature.slice(device.user.length + 1)),
    ) === true;
  const find = (devices: readonly KnownDevice[] | undefined) =>
    devices?.find((known) => isSame(known, device));
  const uploads = [
    ...evidence.all("signatures").map((fact) => ({ fact, sent: fact.sent, got: fact.got })),
    ...evidence.all("upload").map((fact) => {
      const own = fact.device === undefined ? [] : [fact.device];
      return { fact, sent: own, got: fact.isServed === false ? undefined : own };
    }),
  ];
  const stored = uploads.find(({ got, fact }) => isSigned(find(got)) && fact.end <= until)?.fact;
  const lost = uploads.find(
    ({ sent, got, fact }) => isSigned(find(sent)) && !isSigned(find(got)) && fact.at <= until,
  )?.fact;
  const seen = evidence
    .by(by, "query")
    .findLast(
      ({ answer, said, at }) =>
        at <= until && (find(answer?.devices) ?? find(said?.devices)) !== undefined,
    );
  const syncs = evidence
    .by(by, "sync")
    .filter(({ at, end }) => stored !== undefined && at >= stored.at && end <= until);
  return {
    stored,
    lost,
    seen,
    isSeen: isSigned(find(seen?.answer?.devices)),
    isSaid: isSigned(find(seen?.said?.devices)),
    news: syncs.find(({ changed }) => changed.includes(device.user)),
    hasSynced: syncs.some(({ isAnswered }) => isAnswered),
    unanswered: evidence
      .by(by, "query")
      .find(
        ({ asked, answer, at, end }) =>
          asked.includes(device.user) &&
          at <= until &&
          (answer === undefined || end > until) &&
          stored !== undefined &&
          end >= stored.at,
      ),
  };
}

/** Key ids of all self-signing keys of a user that any answer had. */
function selfSigningKeys(evidence: Evidence, user: string): ReadonlySet<string> {
  const answers = evidence
    .all("query")
    .flatMap(({ answer, said }): DeviceLists[] => [
      ...(answer ? [answer] : []),
      ...(said ? [said] : []),
    ]);
  return new Set(answers.flatMap(({ selfSigning }) => selfSigning.get(user) ?? []));
}
