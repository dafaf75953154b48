/** The one source of randomness: seeded, and forked by label so that the order of checks does not matter. */
import { createHash } from "node:crypto";

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** In [0, max), max at least 1. */
  integer(max: number): number;
  /** `prefix-` and eight lower-case letters or digits: fits localparts, aliases and transaction ids. */
  name(prefix: string): string;
  /** A source of its own, decided by this one's seed and the label alone. */
  fork(label: string): Random;
}

const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";
const NAME_LENGTH = 8;

export function createRandom(seed: number | string): Random {
  const digest = createHash("sha256").update(String(seed)).digest();
  const next = sfc32(
    digest.readUInt32LE(0),
    digest.readUInt32LE(4),
    digest.readUInt32LE(8),
    digest.readUInt32LE(12),
  );
  const integer = (max: number) => Math.floor(next() * max);
  return {
    next,
    integer,
    name: (prefix) => {
      let suffix = "";
      for (let index = 0; index < NAME_LENGTH; index++)
        suffix += ALPHABET[integer(ALPHABET.length)];
      return `${prefix}-${suffix}`;
    },
    fork: (label) => createRandom(`${seed}/${label}`),
  };
}

/** sfc32 of PractRand: small, fast, passes its tests; nothing here is a secret. */
function sfc32(a0: number, b0: number, c0: number, d0: number): () => number {
  let [a, b, c, d] = [a0 | 0, b0 | 0, c0 | 0, d0 | 0];
  return () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
}
