/** Answers the page's questions off its thread; while rooms are replayed, those that need no state are answered in between. */
import type { Questions } from "#tardis/view/messages";
import { searchRows } from "#tardis/view/search";
import { Session } from "#tardis/view/session";
import { textsOf } from "./source.ts";

interface Asked {
  readonly id: number;
  readonly name: keyof Questions;
  readonly ask: never;
}

/** What needs no state. */
const AT_ONCE: ReadonlySet<keyof Questions> = new Set(["servers", "knowledge"]);

let session: Promise<Session> | undefined;

self.onmessage = ({ data }: MessageEvent<Asked>) => void reply(data);

async function reply({ id, name, ask }: Asked): Promise<void> {
  try {
    self.postMessage({ id, answer: await answer(name, ask) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

async function answer(name: keyof Questions, ask: never): Promise<unknown> {
  if (name === "load") {
    const { source } = ask as Questions["load"]["ask"];
    session = textsOf(source).then((files) => Session.open(files));
    return (await session).load();
  }
  if (session === undefined) throw new Error("nothing is loaded");
  const own = await session;
  if (!AT_ONCE.has(name)) await own.prepare(pause);
  if (name === "search") return searchRows(own, (ask as Questions["search"]["ask"]).query);
  return own[name](ask);
}

/** Messages that came meanwhile are seen to. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
