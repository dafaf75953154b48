/** What a run that goes on tells its page, and what the page asks of it. */

export interface LiveStatus {
  /** What happens now, one line. */
  readonly doing: string;
  /** The last thing that was found out, one line. */
  readonly line: string;
  /** From 1 on. */
  readonly epoch: number;
  readonly servers: readonly { readonly role: string; readonly condition: string }[];
  /** `links`: `hs1>hs2`. */
  readonly faults: readonly { readonly text: string; readonly links: readonly string[] }[];
  /** Events that were sent and have not come: the link in words, and how many. */
  readonly lags: readonly (readonly [link: string, count: number])[];
  /** Commands of people that nothing has come of yet. */
  readonly waiting: number;
}

/** What the page gets to know where to ask; it comes with a page that is served, and with no other. */
export interface LiveSource {
  readonly token: string;
  /** The run takes commands. */
  readonly isPlayable: boolean;
}

export const LINK_FAULTS = ["refuse", "reset", "blackhole", "delay"] as const;
export const SERVER_ACTIONS = ["pause", "resume", "kill", "start", "restart"] as const;

export type LiveCommand =
  | { readonly do: "cut"; readonly link: string; readonly how: (typeof LINK_FAULTS)[number] }
  | { readonly do: "heal"; readonly link?: string | undefined }
  | {
      readonly do: "server";
      readonly server: string;
      readonly action: (typeof SERVER_ACTIONS)[number];
    }
  | { readonly do: "nudge" }
  | { readonly do: "check" };

/** Answer to a command. */
export type LiveAnswer = { readonly done: string } | { readonly error: string };
