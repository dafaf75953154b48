/**
 * Stories in which version 2 of the algorithm loses state and 2.1 does not, or the other way round (MSC4297): a peer serves a
 * stale state, as no right server does. Below version 12 the reset is what the algorithm asks for; each is noted.
 */
import { check } from "#harness/world/check";
import { listed } from "./rejection.ts";
import { expectResolved, shows } from "./state-stories.ts";

/** The newest with version 2 of the algorithm, and the first with 2.1. */
const VERSIONS = ["11", "12"];
const JOIN_RULES = "m.room.join_rules";
const LEVELS = "m.room.power_levels";
const MEMBER = "m.room.member";
const TOPIC = "m.room.topic";

check(
  "FED.stateres.v21.empty-start",
  "the server loses the join rules of a founder who has left in version 11, and keeps them in 12",
  {
    mutant: [
      shows("keeps them in version 11 too", JOIN_RULES, { join_rule: "invite" }),
      shows("loses them in version 12 too", JOIN_RULES, null),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "a-join-rules-lost", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-start",
  "the server loses the power levels of a founder who has left in version 11, and keeps them in 12",
  {
    mutant: [
      shows("keeps them in version 11 too", LEVELS, { users: {} }),
      shows("loses them in version 12 too", LEVELS, null),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "a-power-levels-lost", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-start",
  "the server loses the topic of a banned user in version 11, and keeps it in 12",
  {
    mutant: [
      shows("keeps it in version 11 too", TOPIC, { topic: "topic-2" }),
      shows("loses it in version 12 too", TOPIC, null),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "a-topic-lost", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-start",
  "the server forgets the ban by a moderator demoted since in version 11, and keeps it in 12",
  {
    mutant: [
      shows("keeps it in version 11 too", MEMBER, { membership: "ban" }),
      shows("forgets it in version 12 too", MEMBER, { membership: "join" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "a-ban-evaporates", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-start",
  "the server forgets the kick by a moderator who has left in version 11, and keeps it in 12",
  {
    mutant: [
      shows("keeps it in version 11 too", MEMBER, { membership: "leave" }),
      shows("forgets it in version 12 too", MEMBER, { membership: "join" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "a-kick-evaporates", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-start",
  "the server keeps the power levels where two resets cancel each other",
  { mutant: shows("loses them", LEVELS, null) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "ab-two-wrongs-cancel", version);
    }
  },
);

check(
  "FED.stateres.v21.subgraph",
  "the server rolls a delegated promotion back in version 11, and keeps it in 12",
  { mutant: shows("keeps it in version 11 too", LEVELS, { users: {} }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "b-promotion-chain", version);
    }
  },
);

check(
  "FED.stateres.v21.subgraph",
  "the server rolls the setting of a promoted user back in version 11, and keeps it in 12",
  { mutant: shows("has lost the power levels", LEVELS, null) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "b-setting-by-promoted", version);
    }
  },
);

check(
  "FED.stateres.v21.subgraph",
  "the server opens a room again that a promoted user had closed in version 11, and keeps it closed in 12",
  {
    mutant: [
      shows("keeps it closed in version 11 too", JOIN_RULES, { join_rule: "invite" }),
      shows("opens it in version 12 too", JOIN_RULES, { join_rule: "public" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "b-join-rules-cascade", version);
    }
  },
);

check(
  "FED.stateres.v21.subgraph",
  "the server forgets the ban by a promoted user in version 11, and keeps it in 12",
  {
    mutant: [
      shows("keeps it in version 11 too", MEMBER, { membership: "ban" }),
      shows("forgets it in version 12 too", MEMBER, { membership: "join" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "b-ban-cascade", version);
    }
  },
);

check(
  "FED.stateres.v21.subgraph",
  "the server throws a user out who was invited again in version 11, and keeps him in 12",
  {
    mutant: [
      shows("keeps him in version 11 too", MEMBER, { membership: "join" }),
      shows("throws him out in version 12 too", MEMBER, { membership: "leave" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "b-rejoin-undone", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-mainline",
  "the server lets a topic with a later clock return in version 12, and not in 11",
  {
    mutant: [
      shows("does so in version 11 too", TOPIC, { topic: "topic-old" }),
      shows("keeps the newer one in version 12 too", TOPIC, { topic: "topic-new" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "c-mainline-lost", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-mainline",
  "the server lets the topic of a demoted user with a later clock return in version 12, and not in 11",
  {
    mutant: [
      shows("does so in version 11 too", TOPIC, { topic: "topic-old" }),
      shows("keeps the newer one in version 12 too", TOPIC, { topic: "topic-new" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "c-demoted-author-returns", version);
    }
  },
);

check(
  "FED.stateres.v21.empty-mainline",
  "the server lets the topic of a banned user with a later clock return in version 12, and not in 11",
  {
    mutant: [
      shows("does so in version 11 too", TOPIC, { topic: "topic-old" }),
      shows("keeps the newer one in version 12 too", TOPIC, { topic: "topic-new" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "c-banned-author-returns", version);
    }
  },
);
