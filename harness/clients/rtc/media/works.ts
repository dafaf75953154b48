/** Whether participants with media can run on this machine. */
import { describe } from "#harness/errors";
import { mediaProcess } from "./participant.ts";
import { PACKAGE } from "./rtc-node.ts";

const ANSWER_MS = 20_000;
const END_GRACE_MS = 2_000;

let asked: Promise<string | undefined> | undefined;

/** Undefined: they can. Otherwise why not, and what to do. Asked once: it loads the native library in a process. */
export function whyNoMedia(): Promise<string | undefined> {
  asked ??= probe();
  return asked;
}

async function probe(): Promise<string | undefined> {
  const child = mediaProcess("media");
  const timer = setTimeout(() => void child.kill(), ANSWER_MS);
  try {
    await child.ask("probe");
    return undefined;
  } catch (error) {
    const why = describe(error).split("\n")[0] ?? "";
    return /Cannot find/.test(why)
      ? `${PACKAGE} is not installed, or has no build for this machine: npm install --include=optional`
      : `participants with media do not run here: ${why}`;
  } finally {
    clearTimeout(timer);
    await child.end(END_GRACE_MS);
  }
}
