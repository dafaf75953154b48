/** Where witnesses note the secrets that go by in a command's processes. */
import { appendFileSync } from "node:fs";

const FILE = process.env.SECRETS_SEEN;
const seen = new Set<string>();

/** A line: what it is, and its text. */
export type Seen = readonly [kind: string, text: string];

export function note(kind: string, text: string): void {
  const line = JSON.stringify([kind, text] satisfies Seen);
  if (FILE === undefined || text === "" || seen.has(line)) return;
  seen.add(line);
  appendFileSync(FILE, `${line}\n`);
}
