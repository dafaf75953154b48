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

/** Not of faults: what a server has to get right. */
export const LOSES_ANSWERS: Readonly<Record<string, Story>> = {
  "a message and a wider window": [
    { do: "send", room: 2 },
    { do: "lose", config: NEWEST },
    { do: "lose", config: { ...NEWEST, last: 3, limit: 3, wantsTopic: true } },
    { do: "topic", room: 1, text: "one" },
    { do: "lose", config: { ...NEWEST, last: 3, wantsTopic: true } },
    { do: "sync", config: { ...NEWEST, last: 3 } },
    { do: "rename", room: 2, text: "two" },
    { do: "lose", config: { ...NEWEST, last: 3, limit: 2 } },
  ],
  "a leave": [
    { do: "leave", room: 3 },
    { do: "lose", config: { ...NEWEST, last: 3 } },
    { do: "sync", config: { ...NEWEST, last: 3 } },
  ],
};

/** Not of faults: what both syncs have to show alike. */
export const CHANGES: Readonly<Record<string, Story>> = {
  "names, topics and memberships": [
    { do: "topic", room: 0, text: "one" },
    { do: "rename", room: 1, text: "" },
    { do: "rename", room: 2, text: "two" },
    { do: "leave", room: 3 },
    { do: "leave", room: 2 },
    { do: "join", room: 2 },
  ],
};
