import { z } from "zod";
import { BASES, LEVELS, PARTIES } from "#harness/results/outcome";

/** `<MSC or area>.<area>.<behaviour>`, without the area in the middle where an MSC is one: never renamed, never reused. */
const ID = /^[A-Z][A-Z0-9]*(\.[a-z0-9]+(-[a-z0-9]+)*)+$/;

/** One item of a `requirements.yaml`. */
export const requirementSchema = z.strictObject({
  id: z.string().regex(ID, "an id looks like MSC4186.conn.pos-expired"),
  level: z.enum(LEVELS),
  basis: z.enum(BASES),
  /** Section, file or MSC that it comes from. */
  source: z.string().min(1),
  /** The rule in one sentence. */
  statement: z.string().min(1),
  /** How the check decides it. */
  check: z.string().min(1),
  /** What a server that breaks the rule would do. */
  negative: z.string().optional(),
  /** Features without which it can not be checked: the check is then `skip: unsupported`. */
  needs: z.array(z.string()).default([]),
  /** Who must keep the rule; the homeserver unless given. By a `client` item no homeserver fails. */
  party: z.enum(PARTIES).optional(),
  /** Prefix or flag of an implementation ahead of the specification. */
  unstable: z.string().optional(),
  /** Guards people's data or tokens: evidence of a failure is shown only to who ran it. */
  sensitive: z.boolean().default(false),
  /** Complement tests that cover the same ground, `package/TestName`, separated by `; `. */
  complement: z.string().optional(),
  /** Why there is no check yet. */
  todo: z.string().min(10).optional(),
  /** Why the rule no longer counts. */
  retired: z.string().min(10).optional(),
});

export type RequirementItem = z.infer<typeof requirementSchema>;

/** A requirement with the suite that owns it. */
export interface Requirement extends RequirementItem {
  readonly suite: string;
}
