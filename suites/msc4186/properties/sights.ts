/**
 * What a user may have seen of a room, by the rules for history visibility (spec: client-server §Room History Visibility)
 * and for state. Whatever is said or set in the room has a text of its own, so that an answer shows by its texts alone
 * what it gives away, in whichever field.
 */

export const VISIBILITIES = ["world_readable", "shared", "invited", "joined"] as const;
export type Visibility = (typeof VISIBILITIES)[number];
export type Membership = "none" | "join" | "invite" | "knock" | "leave" | "ban";

/** Parts of the state; `member` is the profile of another member. */
export type Part = "name" | "topic" | "member";

/** Those that are in the stripped state of invites and knocks, by any server (spec: §Stripped state). */
const STRIPPED: readonly Part[] = ["name", "topic"];

interface Told {
  readonly text: string;
  readonly visibility: Visibility;
  /** Of the user, when it was told. */
  readonly membership: Membership;
}

export class Sights {
  readonly #told: Told[] = [];
  readonly #state = new Map<Part, string>();
  /** Texts that were once part of a state which the user could get. */
  readonly #granted = new Set<string>();
  /** How many texts there were when the user last joined. */
  #lastJoin = 0;
  membership: Membership = "none";
  visibility: Visibility = "shared";
  hasJoined = false;
  wasBanned = false;
  /** Changes of the membership so far. */
  moves = 0;

  /** A message. */
  say(text: string): void {
    const { visibility, membership } = this;
    this.#told.push({ text, visibility, membership });
  }

  set(part: Part, text: string): void {
    this.say(text);
    this.#state.set(part, text);
    this.#grant();
  }

  become(membership: Membership): void {
    this.membership = membership;
    this.moves++;
    if (membership === "ban") this.wasBanned = true;
    if (membership === "join") {
      this.hasJoined = true;
      this.#lastJoin = this.#told.length;
    }
    this.#grant();
  }

  show(visibility: Visibility): void {
    this.visibility = visibility;
    this.#grant();
  }

  /** Texts that the user can not have got by any right. */
  get hidden(): readonly string[] {
    return this.#told
      .filter((told, index) => !this.#isVisible(told, index) && !this.#granted.has(told.text))
      .map(({ text }) => text);
  }

  #isVisible({ visibility, membership }: Told, index: number): boolean {
    if (visibility === "world_readable" || membership === "join") return true;
    if (visibility === "shared") return index < this.#lastJoin;
    return visibility === "invited" && membership === "invite";
  }

  #grant(): void {
    const isOutside = this.membership === "invite" || this.membership === "knock";
    const hasAll = this.membership === "join" || this.visibility === "world_readable";
    for (const [part, text] of this.#state) {
      if (hasAll || (isOutside && STRIPPED.includes(part))) this.#granted.add(text);
    }
  }
}
