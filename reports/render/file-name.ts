import { createHash } from "node:crypto";

const LONGEST = 80;

/** A name of others as that of a file: no separators, no dots at its start, not too long, and never that of another. */
export function fileNameOf(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9._+@-]+/g, "-").replace(/^[.-]+/, "");
  const isFaithful = plain === text.replaceAll("/", "-") && plain.length <= LONGEST;
  if (isFaithful && plain !== "") return plain;
  const digest = createHash("sha256").update(text.toWellFormed()).digest("hex").slice(0, 8);
  return `${plain.slice(0, LONGEST)}-${digest}`;
}
