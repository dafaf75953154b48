/** Answers the page's questions off its thread; while rooms are replayed, those that need no state are answered in between. */
import { describe } from "#harness/errors";
import { compare } from "#tardis/view/compare";
import { linkView } from "#tardis/view/link-view";
import type { Questions } from "#tardis/view/messages";
import { needsRules, searchRows } from "#tardis/view/search";
import { Session } from "#tardis/view/session";
import { WhatIf } from "#tardis/view/what-if";
import { packed, textsOf } from "./source.ts";

interface Asked {
  readonly id: number;
  readonly name: keyof Questions;
  readonly ask: never;
}

/** What needs no state. */
const AT_ONCE: ReadonlySet<keyof Questions> = new Set(["servers", "knowledge", "happenings"]);

let opened: Promise<WhatIf> | undefined;

self.onmessage = ({ data }: MessageEvent<Asked>) => void reply(data);

async function reply({ id, name, ask }: Asked): Promise<void> {
  try {
    self.postMessage({ id, answer: await answer(name, ask) });
  } catch (error) {
    self.postMessage({ id, error: describe(error) });
  }
}

async function answer(name: keyof Questions, ask: never): Promise<unknown> {
  if (name === "load") {
    const { source } = ask as Questions["load"]["ask"];
    opened = textsOf(source)
      .then((files) => Session.open(files))
      .then((session) => new WhatIf(session));
    return (await opened).session.load();
  }
  if (name === "pack") return await packed((ask as Questions["pack"]["ask"]).source);
  if (opened === undefined) throw new Error("nothing is loaded");
  const whatIf = await opened;
  if (name === "edit") return whatIf.edit(ask);
  if (name === "what-if" || name === "shrink" || name === "scenario") {
    await whatIf.prepare(pause);
    return whatIf[name](ask);
  }
  const { session } = whatIf;
  if (name === "link") return await linkView(session.run);
  if (name === "search") {
    const { query } = ask as Questions["search"]["ask"];
    if (needsRules(query)) await session.prepare(pause);
    return searchRows(session, query);
  }
  if (!AT_ONCE.has(name)) await session.prepare(pause);
  if (name === "compare") return compare(session, ask);
  return session[name](ask);
}

/** Messages that came meanwhile are seen to. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
