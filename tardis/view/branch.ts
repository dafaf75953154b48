/** A run beside itself with edits: its events there and here, known by the ids that they had at first. */
import type { Edited } from "#tardis/edit/editor";
import type { Session } from "./session.ts";

/** One of the two. */
export interface Branch {
  readonly session: Session;
  readonly edited: Edited | undefined;
}

export function originalOf({ edited }: Branch, id: string): string {
  return edited?.originalOf.get(id) ?? id;
}

export function idIn({ edited, session }: Branch, original: string): string | undefined {
  if (edited !== undefined) return edited.idOf.get(original);
  return session.rowOf(original) < 0 ? undefined : original;
}

export function rowOf(branch: Branch, original: string): number {
  const id = idIn(branch, original);
  return id === undefined ? -1 : branch.session.rowOf(id);
}
