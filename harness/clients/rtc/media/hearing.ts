/** What one participant hears of a track, in spells of one sound each. */
import type { Sound } from "./tone.ts";

/** Epoch milliseconds of its first and its last frame. */
export interface Spell {
  readonly sound: Sound;
  readonly from: number;
  readonly to: number;
  readonly frames: number;
}

/**
 * A tone is one from so many frames on: two frames come from one packet, and what a wrong key makes of one or two packets is a pure
 * tone now and then.
 */
const TONE_FRAMES = 5;
/** Noise makes many. */
const SPELLS_AT_MOST = 2_000;

export class Hearing {
  readonly #spells: Spell[] = [];
  #dropped = 0;

  take(sound: Sound, at: number): void {
    const last = this.#spells.at(-1);
    if (last?.sound === sound) {
      this.#spells[this.#spells.length - 1] = { ...last, to: at, frames: last.frames + 1 };
      return;
    }
    this.#spells.push({ sound, from: at, to: at, frames: 1 });
    if (this.#spells.length <= SPELLS_AT_MOST) return;
    this.#spells.shift();
    this.#dropped++;
  }

  get spells(): readonly Spell[] {
    return [...this.#spells];
  }

  /** How many of the first are not kept. */
  get dropped(): number {
    return this.#dropped;
  }
}

/** Frames of this tone from a moment on. */
export function framesOf(spells: readonly Spell[], hz: number, since = 0): number {
  return spells
    .filter((spell) => isTone(spell, hz))
    .reduce((sum, spell) => sum + shareSince(spell, since), 0);
}

/** Of all frames from a moment on, those of this tone: 0 to 1, and 0 when there were none. */
export function shareOf(spells: readonly Spell[], hz: number, since = 0): number {
  const all = spells.reduce((sum, spell) => sum + shareSince(spell, since), 0);
  return all === 0 ? 0 : framesOf(spells, hz, since) / all;
}

/** When this tone began from a moment on; undefined: it has not. */
export function firstTone(spells: readonly Spell[], hz: number, since = 0): number | undefined {
  const spell = spells.find((one) => isTone(one, hz) && one.to >= since);
  return spell && Math.max(spell.from, since);
}

export function lastTone(spells: readonly Spell[], hz: number): number | undefined {
  return spells.findLast((spell) => isTone(spell, hz))?.to;
}

function isTone({ sound, frames }: Spell, hz: number): boolean {
  return sound === hz && frames >= TONE_FRAMES;
}

/** Frames of a spell come evenly. */
function shareSince({ from, to, frames }: Spell, since: number): number {
  if (to < since) return 0;
  return from >= since || from === to ? frames : Math.round((frames * (to - since)) / (to - from));
}
