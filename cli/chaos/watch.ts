/** A chaos run on a page: its journal as it is written, how things are now, and a switchboard that has a hand in it. */
import { z } from "zod";
import { Hands } from "#chaos/live/hands";
import { words } from "#chaos/live/words";
import { Feed } from "#cli/tardis/feed";
import { openLiveSite } from "#cli/tardis/live-site";
import { HarnessError } from "#harness/errors";
import { LINK_FAULTS, type LiveStatus, SERVER_ACTIONS } from "#tardis/view/live";
import type { News } from "./display.ts";
import type { Watcher } from "./storyteller.ts";

export interface Watch extends Watcher, AsyncDisposable {
  /** With the token. */
  readonly url: string;
  readonly tell: (news: News) => void;
}

const role = z.string().max(8);
const link = z.string().max(20);
const command = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("cut"), link, how: z.enum(LINK_FAULTS) }),
  z.strictObject({ do: z.literal("heal"), link: link.optional() }),
  z.strictObject({ do: z.literal("server"), server: role, action: z.enum(SERVER_ACTIONS) }),
  z.strictObject({ do: z.literal("nudge") }),
  z.strictObject({ do: z.literal("check") }),
]);

/** Until it is disposed of. @throws HarnessError BAD_USAGE when the port is taken */
export async function openWatch(port: number): Promise<Watch> {
  const feed = new Feed();
  const hands = new Hands();
  const site = await openLiveSite({ feed, port, act: (given) => hands.ask(commandIn(given)) });
  return {
    url: site.url,
    hands,
    begin: (name, journal) => {
      feed.begin(name, journal);
      return () => feed.stir();
    },
    tell: (news) => feed.say(statusOf(news, hands.waiting)),
    async [Symbol.asyncDispose]() {
      hands.close("the run is over");
      await feed[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
    },
  };
}

/** @throws HarnessError BAD_USAGE */
function commandIn(given: unknown): z.infer<typeof command> {
  const { success, data, error } = command.safeParse(given);
  if (success) return data;
  const [issue] = error.issues;
  throw new HarnessError("BAD_USAGE", {
    what: `this is no command: ${issue?.path.join(".")} ${issue?.message}`,
    next: "docs/chaos.md tells what commands there are",
  });
}

function statusOf({ status, doing, line }: News, waiting: number): LiveStatus {
  const { epoch = 0, inForce = [], conditions = new Map(), lags = new Map() } = status ?? {};
  return {
    doing,
    line,
    epoch,
    servers: [...conditions].map(([role, condition]) => ({ role, condition })),
    faults: inForce.map((step) => ({ text: words(step), links: step.links })),
    lags: [...lags],
    waiting,
  };
}
