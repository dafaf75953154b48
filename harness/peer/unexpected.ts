/** What servers did to a peer that the check did not foresee: told at the end of the check. */
import { CheckFailure, HarnessError } from "#harness/errors";
import { scrub } from "#harness/gateway/scrub";
import type { PeerRequest } from "./routes.ts";

const SHOWN_CHARACTERS = 2_000;

export class Unexpected {
  readonly #requests: string[] = [];
  readonly #breaches: {
    readonly expected: string;
    readonly actual: string;
    readonly shown: string;
  }[] = [];

  /** Nothing serves this request. */
  addRequest(request: PeerRequest): void {
    this.#requests.push(describeRequest(request));
  }

  /** Wrong of the server, whatever the check is about. */
  addBreach(expected: string, actual: string, request: PeerRequest): void {
    this.#breaches.push({ expected, actual, shown: describeRequest(request) });
  }

  /** One line for each, for a note beside a failure that has another reason. */
  get lines(): readonly string[] {
    return [
      ...this.#breaches.map(({ actual, shown }) => `${actual}: ${firstLine(shown)}`),
      ...this.#requests.map((shown) => `nothing serves ${firstLine(shown)}`),
    ];
  }

  /**
   * @throws CheckFailure for what is wrong of a server; HarnessError UNEXPECTED_REQUEST for what the check did not
   *   foresee.
   */
  verify(peer: string): void {
    const [breach] = this.#breaches;
    if (breach !== undefined) throw new CheckFailure(breach.expected, breach.actual, breach.shown);
    const [first] = this.#requests;
    if (first === undefined) return;
    throw new HarnessError("UNEXPECTED_REQUEST", {
      what: `${peer} got ${this.#requests.length} requests that nothing serves: ${firstLine(first)}`,
      facts: this.#requests.flatMap((shown) => shown.split("\n")),
      next: "peer.serve(room) or peer.on(route, handler); see docs/peer.md",
    });
  }
}

function describeRequest({ method, uri, text }: PeerRequest): string {
  const body = text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
  return scrub([`${method} ${uri}`, ...(body === "" ? [] : [body])].join("\n"));
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}
