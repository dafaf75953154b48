/** Answers the page's questions, one after another, off its thread. */
import type { Questions } from "#tardis/view/messages";
import { searchRows } from "#tardis/view/search";
import { Session } from "#tardis/view/session";

interface Asked {
  readonly id: number;
  readonly name: keyof Questions;
  readonly ask: never;
}

let session: Session | undefined;
let queue = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Asked>) => {
  queue = queue.then(() => reply(data));
};

async function reply({ id, name, ask }: Asked): Promise<void> {
  try {
    self.postMessage({ id, answer: await answer(name, ask) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

async function answer(name: keyof Questions, ask: never): Promise<unknown> {
  if (name === "load") {
    session = await Session.open((ask as Questions["load"]["ask"]).files);
    return session.load();
  }
  if (session === undefined) throw new Error("nothing is loaded");
  if (name === "search") return searchRows(session, (ask as Questions["search"]["ask"]).query);
  return session[name](ask);
}
