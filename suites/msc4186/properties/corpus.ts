/** Stories that a server got wrong once, shrunk: each property tries them first, so that what was found stays found. */
import type { Config, Story } from "./story.ts";

const NO_LIST: Config = { limit: 1, wantsTopic: false, isFiltered: false, subscriptions: [] };
const NEWEST: Config = { ...NO_LIST, last: 0 };

/** By what is lost. */
export const KEEPS_RULES: Readonly<Record<string, Story>> = {
  "the leave of a room outside the window": [
    { do: "send", room: 0 },
    { do: "sync", config: NEWEST },
    { do: "leave", room: 2 },
    { do: "send", room: 0 },
    { do: "sync", config: NEWEST },
  ],
  "what was said before a room outside the window was joined again": [
    { do: "leave", room: 2 },
    { do: "send", room: 2 },
    { do: "sync", config: NEWEST },
    { do: "join", room: 2 },
    { do: "send", room: 1 },
    { do: "sync", config: NEWEST },
  ],
};

export const DROPS_RULES: Readonly<Record<string, Story>> = {
  "what happens while the list is left out": [
    { do: "send", room: 2 },
    { do: "sync", config: NO_LIST },
  ],
  "what happens while a tag hides the room": [
    { do: "tag", room: 2 },
    { do: "send", room: 2 },
    { do: "sync", config: { ...NEWEST, last: 3, isFiltered: true } },
    { do: "tag", room: 2 },
  ],
};

export const TWO_LISTS: Readonly<Record<string, Story>> = {
  "the second room of the list": [{ do: "sync", config: { ...NEWEST, last: 1 } }],
};
