/** Trouble with auth services: one on the way to its server, one that dies or stands still, and users who sign in and out. */
import type { Choice } from "#protocol/dag/choice";
import {
  type AuthOperation,
  type FaultKind,
  type FaultStep,
  partnerOf,
  type Step,
} from "#scenarios/plan";
import { Deck } from "./deck.ts";
import { HARM_ENDS, ofAuth } from "./kinds.ts";
import { AUTH_LINK_FAULTS, AUTH_PROCESS_FAULTS, type FaultName } from "./vocabulary.ts";

export interface Dealing {
  readonly servers: readonly string[];
  readonly choice: Choice;
  readonly usersOf: (server: string) => readonly string[];
  /** The next operation's name. */
  readonly nextId: () => string;
  readonly fault: (kind: FaultKind, links: readonly string[], title: string) => FaultStep;
}

/** What an auth service has its homeserver do when somebody signs in or out (see `AuthStartContext`). */
const CALLS = ["provision_user", "upsert_device", "delete_device"].map(
  (call) => `/_synapse/mas/${call}`,
);

/** Deals these faults, each once before one comes again. All of them are over when an epoch goes on. */
export class AuthTroubles {
  readonly #links: Deck<(typeof AUTH_LINK_FAULTS)[number]>;
  readonly #processes: Deck<(typeof AUTH_PROCESS_FAULTS)[number]>;

  constructor(chosen: readonly FaultName[]) {
    this.#links = new Deck(AUTH_LINK_FAULTS.filter((kind) => chosen.includes(ofAuth(kind))));
    this.#processes = new Deck(AUTH_PROCESS_FAULTS.filter((kind) => chosen.includes(ofAuth(kind))));
  }

  deal(dealing: Dealing): readonly Step[] {
    return [...this.#onLinks(dealing), ...this.#toProcess(dealing)];
  }

  #onLinks({ servers, choice, fault, ...dealing }: Dealing): readonly Step[] {
    if (this.#links.isEmpty) return [];
    const kind = this.#links.draw(choice);
    const server = choice.pick(servers);
    const auth = partnerOf(server);
    const dies = kind === "kill-caller";
    const links = [...(dies ? [] : [`${server}>${auth}`]), `${auth}>${server}`];
    const which = dies ? { path: choice.pick(CALLS), times: 1 } : {};
    const begun = { ...fault(kind, links, ofAuth(kind)), ...which };
    const { before, meanwhile } = signingIn(dealing.usersOf(server), dealing.nextId);
    return [...before, begun, ...meanwhile, { heal: [begun.id] }];
  }

  #toProcess({ servers, choice, ...dealing }: Dealing): readonly Step[] {
    if (this.#processes.isEmpty) return [];
    const action = this.#processes.draw(choice);
    const server = choice.pick(servers);
    const auth = partnerOf(server);
    const end = HARM_ENDS.get(action);
    const { before, meanwhile } = signingIn(dealing.usersOf(server), dealing.nextId);
    return [
      ...before,
      { server: auth, action },
      ...meanwhile,
      ...(end === undefined ? [] : [{ server: auth, action: end }]),
    ];
  }
}

/** Everybody has signed in before, and then all that can go wrong is tried. */
function signingIn(
  users: readonly string[],
  nextId: () => string,
): { readonly before: readonly AuthOperation[]; readonly meanwhile: readonly AuthOperation[] } {
  const [first, second = first] = users;
  if (first === undefined || second === undefined) return { before: [], meanwhile: [] };
  const one = (op: AuthOperation["op"], by: string): AuthOperation => ({ op, id: nextId(), by });
  return {
    before: [one("sign-in", first), one("sign-in", second)],
    meanwhile: [one("refresh", first), one("sign-in", first), one("sign-out", second)],
  };
}
