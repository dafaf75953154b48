/** Servers that give no answer: a part of the story. */
import { HarnessError } from "#harness/errors";

/** Anything else is trouble of ours. */
export function rethrowUnlessSilence(error: unknown): void {
  if (!(error instanceof HarnessError) || error.code !== "HS_NO_ANSWER") throw error;
}

/** Undefined: there was no answer. */
export async function unlessSilent<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    rethrowUnlessSilence(error);
    return undefined;
  }
}
