import { isDeepStrictEqual } from "node:util";
import { type HttpResponse, path, type Query } from "#harness/http/client";
import { type JsonObject, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { accountData, changeWakes } from "./account-data.ts";
import { effect, PREDEFINED, pushRules, RULES, ruleIds, ruleOf, rulesOf } from "./push-rules.ts";

const GLOBAL = "/_matrix/client/v3/pushrules/global";
const CONTENT = "/_matrix/client/v3/pushrules/global/content";
const RULE = "/_matrix/client/v3/pushrules/global/*/*";
const SYNC = "/_matrix/client/v3/sync";
const DONE = { status: 200, body: {} };

check(
  "CS.push.defaults",
  "the server gives a new user the predefined push rules, in sync too",
  {
    mutant: [
      altersAnswer(
        "starts with the master rule enabled",
        { path: RULES },
        { set: { "/global/override/0/enabled": true } },
      ),
      altersAnswer(
        "disables the others",
        { path: RULES },
        { set: { "/global/override/1/enabled": false } },
      ),
      altersAnswer(
        "misses the last underride rule",
        { path: RULES },
        { replace: [[".m.rule.encrypted", ".org.example.encrypted"]] },
      ),
      altersAnswer("is silent", { path: RULES }, { replace: [['"notify"', '"dont_notify"']] }),
      altersAnswer(
        "orders the rules in another way",
        { path: RULES },
        {
          replace: [
            [".m.rule.suppress_notices", ".moved"],
            [".m.rule.suppress_edits", ".m.rule.suppress_notices"],
            [".moved", ".m.rule.suppress_edits"],
          ],
        },
      ),
      altersAnswer(
        "passes them off as the user's",
        { path: RULES },
        { set: { "/global/override/*/default": false } },
      ),
      altersAnswer("has none in sync", { path: SYNC }, { remove: ["/account_data/events"] }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const otherwise: string[] = [];

    const rules = await pushRules(alice);
    const synced = accountData(await alice.sync(), "m.push_rules");

    for (const [kind, groups] of Object.entries(PREDEFINED)) {
      const expected = groups.map((group) => Object.keys(group).sort());
      const known = ruleIds(rules, kind).filter((ruleId) => expected.flat().includes(ruleId));
      const order = expected.map((group) => known.splice(0, group.length).sort());
      expectEqual(order, expected, `the predefined ${kind} rules, in groups`);
      for (const [ruleId, actions] of groups.flatMap((group) => Object.entries(group))) {
        const rule = ruleOf(rules, kind, ruleId);
        expectEqual(effect(rule?.actions), effect(actions), `the effect of ${ruleId}`);
        expectEqual(rule?.enabled, ruleId !== ".m.rule.master", `enabled of ${ruleId}`);
        if (!isDeepStrictEqual(rule?.actions, actions)) otherwise.push(ruleId);
      }
    }
    if (otherwise.length > 0)
      world.note(`actions written in another way, with the same effect: ${otherwise.join(", ")}`);
    expectEqual(ruleIds(rules, "override")[0], ".m.rule.master", "the first override rule");
    for (const kind of ["override", "content", "underride"]) {
      for (const rule of rulesOf(rules, kind)) {
        const isMarked = rule.default === true && textAt(rule, "rule_id").startsWith(".");
        expectThat(isMarked, "predefined rules only, as default and with a dotted id", rule);
      }
    }
    expectEqual(synced, rules, "m.push_rules in the initial sync");
  },
);

/** True when a rule has these keys; for undefined, when there is no rule. */
function fits(rule: JsonObject | undefined, expected: JsonObject | undefined): boolean {
  if (expected === undefined) return rule === undefined;
  return Object.entries(expected).every(([key, value]) => isDeepStrictEqual(rule?.[key], value));
}

check(
  "CS.push.rule-crud",
  "the server adds, switches, changes and deletes a rule, and each change wakes a sync",
  {
    mutant: [
      altersAnswer(
        "adds rules disabled",
        { method: "GET", path: RULE },
        { set: { "/enabled": false } },
      ),
      claims("does not switch off", { path: `${RULE}/enabled`, contains: "false" }, {}),
      claims("does not switch on", { path: `${RULE}/enabled`, contains: "true" }, {}),
      claims("keeps the actions", { method: "PUT", path: `${RULE}/actions` }, {}),
      claims("keeps the pattern", { method: "PUT", path: RULE, contains: "pie" }, {}),
      claims("does not delete", { method: "DELETE", path: RULE }, {}),
      altersAnswer("keeps syncs waiting", { path: SYNC }, { remove: ["/account_data"] }),
      altersAnswer(
        "answers from a damaged cache the second time",
        { method: "GET", path: RULES, contains: "again" },
        { set: { "/global/content/0/actions": [] } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const ruleId = "mine";
    const target = `${CONTENT}/${ruleId}`;
    const chime = ["notify", { set_tweak: "sound", value: "chime" }];
    const created = { rule_id: ruleId, default: false, pattern: "cake", actions: ["notify"] };
    const on = { ...created, enabled: true };
    const changes: readonly [JsonObject | undefined, () => Promise<HttpResponse>][] = [
      [on, () => alice.put(target, { pattern: "cake", actions: ["notify"] })],
      [{ ...created, enabled: false }, () => alice.put(`${target}/enabled`, { enabled: false })],
      [on, () => alice.put(`${target}/enabled`, { enabled: true })],
      [{ ...on, actions: chime }, () => alice.put(`${target}/actions`, { actions: chime })],
      [
        { ...on, pattern: "pie", actions: [] },
        () => alice.put(target, { pattern: "pie", actions: [] }),
      ],
      [undefined, () => alice.delete(target)],
    ];

    for (const [expected, change] of changes) {
      const what = expected === undefined ? "no such rule" : `the rule ${JSON.stringify(expected)}`;
      const shows = (body: JsonObject) => {
        const rules = accountData(body, "m.push_rules");
        return rules !== undefined && fits(ruleOf(rules, "content", ruleId), expected);
      };
      const answer = await changeWakes(alice, what, shows, change);
      const all = await pushRules(alice);
      const again = ok(await alice.get(RULES, { "org.example.mark": "again" }));
      const one = await alice.get(target);

      expectEqual(ok(answer), {}, "the answer", answer);
      expectThat(fits(ruleOf(all, "content", ruleId), expected), what, rulesOf(all, "content"));
      expectEqual(again, all, "the rules when asked again");
      if (expected === undefined) expectMatrixError(one, 404, "M_NOT_FOUND");
      else expectContains(ok(one), expected, "the rule", one);
    }
  },
);

check(
  "CS.push.rule-crud",
  "the server returns each part of a rule, and changes those of a predefined one",
  {
    mutant: [
      claims("keeps a predefined rule enabled", { method: "PUT", path: `${RULE}/enabled` }, {}),
      claims("keeps its actions", { method: "PUT", path: `${RULE}/actions` }, {}),
      altersAnswer(
        "says that it is enabled",
        { method: "GET", path: `${RULE}/enabled` },
        { body: { enabled: true } },
      ),
      altersAnswer(
        "says that it has no actions",
        { method: "GET", path: `${RULE}/actions` },
        { body: { actions: [] } },
      ),
      altersAnswer("has no global rules", { path: `${RULES}global/` }, { remove: ["/underride"] }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const target = `${GLOBAL}/underride/.m.rule.message`;
    const actions = ["notify", { set_tweak: "sound", value: "chime" }];

    const switched = await alice.put(`${target}/enabled`, { enabled: false });
    const changed = await alice.put(`${target}/actions`, { actions });

    ok(switched);
    ok(changed);
    expectContains(ok(await alice.get(`${target}/enabled`)), { enabled: false }, "the first part");
    expectContains(ok(await alice.get(`${target}/actions`)), { actions }, "the second part");
    const rules = await pushRules(alice);
    const expected = { enabled: false, actions, default: true };
    expectContains(ruleOf(rules, "underride", ".m.rule.message"), expected, "the rule");
    expectEqual(ok(await alice.get(`${GLOBAL}/`)), rules.global, "the global rules");
  },
);

check(
  "CS.push.rule-crud",
  "the server puts a new rule ahead of the others, or where before and after say",
  {
    mutant: [
      altersRequest(
        "puts new rules last",
        { path: `${CONTENT}/new` },
        { path: `${CONTENT}/new?after=old` },
      ),
      altersRequest("ignores before", { path: `${CONTENT}/ahead` }, { path: `${CONTENT}/ahead` }),
      altersRequest("ignores after", { path: `${CONTENT}/behind` }, { path: `${CONTENT}/behind` }),
      altersRequest(
        "prefers after to before",
        { path: `${CONTENT}/both` },
        { path: `${CONTENT}/both?after=new` },
      ),
      claims("does not move a rule", { path: `${CONTENT}/new`, contains: "after=old" }, {}),
      altersAnswer(
        "lets a user's rule outrank the master rule",
        { path: RULES },
        {
          replace: [
            [".m.rule.master", "moved"],
            ['"mine"', '".m.rule.master"'],
            ["moved", "mine"],
          ],
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const rule = { pattern: "cake", actions: ["notify"] };
    const put = async (ruleId: string, query: Query, ...expected: readonly string[]) => {
      const what = `the rules after ${ruleId} ${JSON.stringify(query)}`;
      ok(await alice.put(`${CONTENT}/${ruleId}`, rule, query));
      const ids = ruleIds(await pushRules(alice), "content");
      expectEqual(
        ids.filter((id) => !id.startsWith(".")),
        expected,
        what,
      );
    };

    await put("old", {}, "old");
    await put("new", {}, "new", "old");
    await put("ahead", { before: "old" }, "new", "ahead", "old");
    await put("behind", { after: "new" }, "new", "behind", "ahead", "old");
    await put("both", { before: "old", after: "new" }, "new", "behind", "ahead", "both", "old");
    await put("new", { after: "old" }, "behind", "ahead", "both", "old", "new");

    ok(await alice.put(`${GLOBAL}/override/mine`, { conditions: [], actions: [] }));
    const overrides = ruleIds(await pushRules(alice), "override");
    expectEqual(overrides.slice(0, 2), [".m.rule.master", "mine"], "the first override rules");
  },
);

check(
  "CS.push.rule-errors",
  "the server refuses rules with a dotted id, an unknown kind or neighbour, and with missing parts",
  {
    mutant: [
      claims("adds predefined rules", { path: `${CONTENT}/.my` }, {}),
      claims("takes any kind", { path: `${GLOBAL}/zz/mine` }, {}),
      claims("needs no pattern", { path: `${CONTENT}/no-pattern` }, {}),
      claims("needs no actions", { path: `${CONTENT}/no-actions` }, {}),
      claims("puts a rule anywhere", { path: `${CONTENT}/lost` }, {}),
      altersRequest(
        "refuses a rule, and yet adds it",
        { path: `${CONTENT}/lost` },
        { path: `${CONTENT}/lost` },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const rule = { pattern: "cake", actions: ["notify"] };
    const before = await pushRules(alice);

    const responses = [
      await alice.put(`${CONTENT}/.my`, rule),
      await alice.put(`${GLOBAL}/zz/mine`, rule),
      await alice.put(`${CONTENT}/no-pattern`, { actions: ["notify"] }),
      await alice.put(`${CONTENT}/no-actions`, { pattern: "cake" }),
      await alice.put(`${CONTENT}/lost`, rule, { before: "nope" }),
    ];

    for (const response of responses) expectMatrixError(response, [400, 404]);
    world.note(`the refusals answer ${responses.map(({ status }) => status).join(", ")}`);
    expectEqual(await pushRules(alice), before, "the rules after the refusals");
  },
);

check(
  "CS.push.rule-errors",
  "the server does not find unknown rules, and keeps the predefined ones",
  {
    mutant: [
      ...["GET", "DELETE"].map((method) =>
        altersAnswer(`finds all to ${method}`, { method, path: RULE, status: 404 }, DONE),
      ),
      ...["enabled", "actions"].flatMap((part) =>
        ["GET", "PUT"].map((method) =>
          altersAnswer(
            `finds all to ${method} ${part}`,
            { method, path: `${RULE}/${part}`, status: 404 },
            DONE,
          ),
        ),
      ),
      altersAnswer(
        "deletes the master rule",
        { method: "DELETE", path: `${GLOBAL}/override/.m.rule.master` },
        DONE,
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const before = await pushRules(alice);

    for (const target of [`${CONTENT}/unknown`, `${GLOBAL}/override/.m.rule.unknown`]) {
      const responses = [
        await alice.get(target),
        await alice.delete(target),
        await alice.get(`${target}/enabled`),
        await alice.put(`${target}/enabled`, { enabled: false }),
        await alice.get(`${target}/actions`),
        await alice.put(`${target}/actions`, { actions: [] }),
      ];

      for (const response of responses) expectMatrixError(response, 404, "M_NOT_FOUND");
    }
    const deleted = await alice.delete(`${GLOBAL}/override/.m.rule.master`);

    const isRefused = deleted.status >= 400 && deleted.status < 500;
    expectThat(isRefused, "status 4xx for the master rule", String(deleted.status), deleted);
    expectMatrixError(deleted, deleted.status);
    expectEqual(await pushRules(alice), before, "the rules after the refusals");
  },
);

check(
  "CS.push.upgrade-copies",
  "the server copies the room rules of members to the room that replaces theirs",
  {
    mutant: altersAnswer(
      "copies nothing",
      { path: RULES },
      { set: { "/global/room/0/rule_id": "!other:example.org" } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const mute = { actions: [] };
    const members = [alice, bob];
    for (const member of members) ok(await member.put(`${GLOBAL}${path`/room/${roomId}`}`, mute));
    const capabilities = ok(await alice.get("/_matrix/client/v3/capabilities"));
    const version = textAt(capabilities, "capabilities", "m.room_versions", "default");

    const upgrade = await alice.post(path`/_matrix/client/v3/rooms/${roomId}/upgrade`, {
      new_version: version,
    });
    const replacement = textAt(ok(upgrade), "replacement_room");
    await bob.join(replacement);

    for (const member of members) {
      await world.eventually(async () => {
        const rule = ruleOf(await pushRules(member), "room", replacement);
        expectThat(rule !== undefined, `a rule of ${member.userId} for ${replacement}`, rule);
        expectContains(rule, { ...mute, enabled: true }, "the copied rule");
      });
    }
  },
);
