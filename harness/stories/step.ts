/** What a step of a story is: a word, what may stand behind it, and what it does. */
import { z } from "zod";
import { ROOTS, type Root } from "#harness/forensics/roots";
import type { Telling } from "./telling.ts";

export interface StepKind<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  readonly tell: (telling: Telling, given: z.output<Schema>) => Promise<void>;
}

/** So that the schema types what the step is given. */
export function step<Schema extends z.ZodType>(
  schema: Schema,
  tell: (telling: Telling, given: z.output<Schema>) => Promise<void>,
): StepKind {
  return { schema, tell: (telling, given) => tell(telling, given as z.output<Schema>) };
}

/** Forensic root, as a story may hunt or expect it. */
export const root = z.enum(Object.keys(ROOTS) as [Root]);
/** Within a story: of a device, a room, a message, a fault. */
export const name = z.string().regex(/^[a-z][a-z0-9-]*$/, "a name looks like bob or bob2");
/** One name, or several. */
export const names = z.union([name.transform((only) => [only]), z.array(name).min(1)]);
export const server = z.string().regex(/^hs[1-9]$/, "a server is called hs1, hs2, …");
/** Of the room that a step is about; most stories have one. */
export const room = name.default("room");
