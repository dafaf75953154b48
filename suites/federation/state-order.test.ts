/** Stories that tell in which order the algorithm replays what branches disagree on. */
import { check } from "#harness/world/check";
import { listed } from "./rejection.ts";
import { expectResolved, shows } from "./state-stories.ts";

/** The newest with version 2 of the algorithm, and the first with 2.1. */
const VERSIONS = ["11", "12"];
const JOIN_RULES = "m.room.join_rules";
const MEMBER = "m.room.member";
const TOPIC = "m.room.topic";

check(
  "FED.stateres.power-before-ts",
  "the server lets a demotion undo an earlier setting that had not seen it",
  { mutant: shows("keeps the setting, which is older", JOIN_RULES, { join_rule: "invite" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "power-beats-ts", version);
    }
  },
);

check(
  "FED.stateres.power-before-others",
  "the server lets a ban undo an earlier topic that had not seen it",
  { mutant: shows("keeps the topic, which is older", TOPIC, { topic: "topic-c" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "ban-beats-topic", version);
    }
  },
);

check(
  "FED.stateres.tie-ts",
  "the server keeps the later of two changes by equals, that of the first of them",
  { mutant: shows("keeps the earlier one", JOIN_RULES, { join_rule: "knock" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "tie-ts-bob-wins", version);
    }
  },
);

check(
  "FED.stateres.tie-ts",
  "the server keeps the later of two changes by equals, that of the second of them",
  { mutant: shows("keeps the earlier one", JOIN_RULES, { join_rule: "invite" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "tie-ts-charlie-wins", version);
    }
  },
);

check(
  "FED.stateres.tie-id",
  "the server keeps the change with the greater id of two at the same time, that of the first user",
  { mutant: shows("keeps the one with the smaller id", JOIN_RULES, { join_rule: "knock" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "tie-id-bob-wins", version);
    }
  },
);

check(
  "FED.stateres.tie-id",
  "the server keeps the change with the greater id of two at the same time, that of the second user",
  { mutant: shows("keeps the one with the smaller id", JOIN_RULES, { join_rule: "invite" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "tie-id-charlie-wins", version);
    }
  },
);

check(
  "FED.stateres.mainline-v2",
  "the server keeps the topic under the newer power levels, whatever the clocks",
  { mutant: shows("keeps the topic with the later clock", TOPIC, { topic: "topic-old" }) },
  async (world) => {
    for (const version of listed(world, "2", "6", "11")) {
      await expectResolved(world, "c-mainline-lost", version);
    }
  },
);

check(
  "FED.stateres.creator-order-v12",
  "the server sorts the founder before an admin in version 12, and by their clocks in 11",
  {
    mutant: [
      shows("sorts by clocks in version 12 too", JOIN_RULES, { join_rule: "invite" }),
      shows("sorts the founder first in version 11 too", JOIN_RULES, { join_rule: "knock" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "creator-vs-admin", version);
    }
  },
);

check(
  "FED.stateres.creator-no-levels",
  "the server sorts the founder before a member in a room without power levels",
  { mutant: shows("takes them for equals", MEMBER, { membership: "join" }) },
  async (world) => {
    for (const version of listed(world, "10", ...VERSIONS)) {
      await expectResolved(world, "creator-without-levels", version);
    }
  },
);

check(
  "FED.stateres.known.d-join-then-close",
  "the server drops a join before the room was closed when a branch comes that saw neither",
  { mutant: shows("keeps the join", MEMBER, { membership: "join" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "d-join-then-close", version);
    }
  },
);

check(
  "FED.stateres.known.d-older-weaker-wins",
  "the server lets the older of two settings stand that came from the weaker sender",
  { mutant: shows("keeps the newer one", JOIN_RULES, { join_rule: "invite" }) },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      await expectResolved(world, "d-older-weaker-wins", version);
    }
  },
);
