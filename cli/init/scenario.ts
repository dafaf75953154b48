/** A new scenario: a plan, which the oracle, simulated servers and real ones can be told. */
import type { Scaffold } from "./scaffold.ts";

export function scenarioScaffold(name: string): Scaffold {
  const file = `scenarios/stories/netsplits/${name}.json`;
  return {
    files: {
      [file]: `{
  "format": "crucible-plan/1",
  "id": "${name}",
  "title": "Bob's server is cut off while Alice names the room",
  "story": "Replace this: who does what, and what has to stand in the end and why.",
  "servers": 2,
  "users": {"alice": "hs1", "bob": "hs2"},
  "rooms": {
    "main": {"creator": "alice", "members": ["bob"]}
  },
  "steps": [
    {"fault": "refuse", "id": "split", "links": ["hs1>hs2", "hs2>hs1"], "title": "hs1 and hs2 do not hear of each other"},
    {"op": "state", "id": "the-name", "by": "alice", "room": "main", "type": "m.room.name", "content": {"name": "named alone"}},
    {"heal": ["split"]},
    {"converge": "nudged"}
  ],
  "expect": [
    {"room": "main", "state": {"m.room.name|": "the-name"}}
  ]
}
`,
    },
    next: [
      `crucible replay ${file} --level oracle`,
      `crucible replay ${file}`,
      "npx vitest run chaos/stories.spec.ts",
    ],
  };
}
