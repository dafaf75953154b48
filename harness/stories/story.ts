/** Stories of messages that can not be read: who there is, what happens, and who can read what in the end. As data. */
import { z } from "zod";
import type { ClientKind } from "#harness/clients/crypto/capabilities";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { name, root, server } from "./step.ts";
import { STEPS } from "./steps.ts";

/** Which of a pair of clients a device has. */
const SIDES = ["a", "b"] as const;
const KINDS = ["wasm", "js-sdk", "nio"] as const satisfies readonly ClientKind[];

const share = z.enum(["all", "identity", "trusted"]);
const read = z.enum(["untrusted", "legacy", "cross-signed"]);

const device = z.strictObject({
  /** Whose it is; its own name unless given. */
  user: name.optional(),
  side: z.enum(SIDES).optional(),
  /** Server of its user. */
  on: server.default("hs1"),
  share: share.optional(),
  read: read.optional(),
  sync: z.enum(["v3", "sliding"]).default("v3"),
  /** In a process of its own, with a store on disk: it can be killed, and put back to what it was. */
  durable: z.boolean().default(false),
});
export type DeviceSpec = z.output<typeof device>;

const storySchema = z.strictObject({
  id: z.string().regex(/^[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*$/, "an id looks like td.swallowed"),
  /** Root of the failure that it provokes or guards against. */
  hunts: z.union([root, z.literal("none")]),
  /** Boxes of complement-crypto's list, see docs/utd-stories.md. */
  covers: z.array(z.string()).default([]),
  /** Kinds of clients that it says nothing about, with the reason. */
  "not-for": z.partialRecord(z.enum(KINDS), z.string().min(10)).default({}),
  policy: z
    .strictObject({ share: share.default("all"), read: read.default("untrusted") })
    .default({ share: "all", read: "untrusted" }),
  /** Servers of its own: it kills them or puts them back. */
  "own-servers": z.boolean().default(false),
  devices: z.record(name, device),
  steps: z.array(z.unknown()).min(1),
});

/** What happens: at once, at the same time, in the background, in vain, or until it is done. */
export type Step =
  | { readonly word: string; readonly given: unknown }
  | { readonly together: readonly Step[] }
  | { readonly begin: string; readonly step: Step }
  | { readonly fails: Step; readonly text: string }
  | { readonly insists: Step };

export interface Story extends Omit<z.output<typeof storySchema>, "steps"> {
  readonly steps: readonly Step[];
}

/**
 * The stories of one file.
 *
 * @param file for messages
 * @throws HarnessError BAD_FILE that names story and step of everything that is wrong
 */
export function parseStories(value: unknown, file: string): readonly Story[] {
  const problems: string[] = [];
  const stories = (Array.isArray(value) ? value : [value]).flatMap((item, at) =>
    parseStory(item, at, problems),
  );
  if (problems.length > 0) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} tells no stories that can be told`,
      facts: problems,
      next: "docs/utd-stories.md lists the steps; harness/stories has their schemas",
    });
  }
  return stories;
}

function parseStory(item: unknown, at: number, problems: string[]): readonly Story[] {
  const parsed = storySchema.safeParse(item);
  const id = (item as { id?: unknown } | null)?.id;
  const place = typeof id === "string" ? id : `story ${at + 1}`;
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map((issue) => `${place}: ${tellIssue(issue)}`));
    return [];
  }
  const before = problems.length;
  const steps = parsed.data.steps.map((given, index) =>
    parseStep(given, `${place}, step ${index + 1}`, problems),
  );
  return problems.length > before ? [] : [{ ...parsed.data, steps: steps.flat() }];
}

/** A step is an object with one key, its word. */
function parseStep(item: unknown, place: string, problems: string[]): readonly Step[] {
  const entries = typeof item === "object" && item !== null ? Object.entries(item) : [];
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) {
    problems.push(`${place}: a step is one word and what it is about`);
    return [];
  }
  const [word, value] = entry;
  const within = WITHIN[word];
  if (within !== undefined) {
    const parsed = within.safeParse(value);
    if (!parsed.success) return refuse(parsed.error, `${place} (${word})`, problems);
    const { steps, as, text } = parsed.data;
    const inner = steps.flatMap((step) => parseStep(step, `${place} (${word})`, problems));
    if (word === "together") return [{ together: inner }];
    if (word === "insists") return inner.map((step) => ({ insists: step }));
    return inner.map((step) => (as === "" ? { fails: step, text } : { begin: as, step }));
  }
  const kind = STEPS[word];
  if (kind === undefined) {
    const known = [...Object.keys(STEPS), ...Object.keys(WITHIN)];
    problems.push(`${place}: there is no step ${word}, ${didYouMean(word, known)}`);
    return [];
  }
  const parsed = kind.schema.safeParse(value);
  if (!parsed.success) return refuse(parsed.error, `${place} (${word})`, problems);
  return [{ word, given: parsed.data }];
}

interface Within {
  readonly steps: readonly unknown[];
  readonly as: string;
  readonly text: string;
}

/** Words that have steps within. */
const WITHIN: Readonly<Record<string, z.ZodType<Within>>> = {
  /** All at once; it ends when all have. */
  together: z
    .array(z.unknown())
    .min(2)
    .transform((steps) => ({ steps, as: "", text: "" })),
  /** Goes on by itself; `finish` waits for it. */
  begin: z
    .strictObject({ as: name, do: z.unknown() })
    .transform(({ as, do: step }) => ({ steps: [step], as, text: "" })),
  /** Done again for as long as it meets trouble, as an application does whose client gives up. */
  insists: z
    .strictObject({ do: z.unknown() })
    .transform(({ do: step }) => ({ steps: [step], as: "", text: "" })),
  /** Has to be refused, or to get no answer. `with`: what the trouble's text contains. */
  fails: z
    .strictObject({ do: z.unknown(), with: z.string().default("") })
    .transform(({ do: step, with: text }) => ({ steps: [step], as: "", text })),
};

function refuse(error: z.ZodError, place: string, problems: string[]): readonly [] {
  problems.push(...error.issues.map((issue) => `${place}: ${tellIssue(issue)}`));
  return [];
}

function tellIssue({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`;
}
