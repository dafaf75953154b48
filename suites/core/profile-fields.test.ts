import type { HttpResponse } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { FIELD, field, KEY, needsKeys, PROFILE, profileOf, setField, whole } from "./profiles.ts";

const NO_ERROR = { status: 200, body: {} };
const NOT_FOUND = { errcode: "M_NOT_FOUND", error: "no" };
/** In bytes, of a profile. */
const LARGEST_PROFILE = 65_536;

/** Sets a key to each of the values, which has to show it unchanged. */
async function expectKept(user: Session, values: readonly unknown[]): Promise<void> {
  for (const value of values) {
    const put = await setField(user, KEY, value);
    const get = await user.get(field(user, KEY));

    expectEqual(ok(put), {}, "the answer", put);
    expectEqual(ok(get), { [KEY]: value }, "the field", get);
    expectContains(await profileOf(user), { [KEY]: value }, "the whole profile");
  }
}

check(
  "CS.profile.custom-key",
  "the server keeps objects, arrays, strings and numbers under a custom key",
  {
    mutant: [
      altersRequest(
        "makes text of objects",
        { method: "PUT", path: `${PROFILE}/${KEY}`, contains: "null" },
        { set: { [`/${KEY}`]: '{"a":[1,null]}' } },
      ),
      altersRequest(
        "makes numbers of text",
        { method: "PUT", path: `${PROFILE}/${KEY}`, contains: '"5"' },
        { set: { [`/${KEY}`]: 5 } },
      ),
      altersAnswer(
        "shows no custom keys in the whole profile",
        { method: "GET", path: PROFILE },
        { remove: [`/${KEY}`] },
      ),
    ],
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");

    await expectKept(alice, [{ a: [1, null] }, ["x", { y: 2 }], "text", "5", 5]);
  },
);

check(
  "CS.profile.custom-key",
  "the server keeps true and false under a custom key",
  {
    mutant: altersAnswer(
      "makes numbers of them",
      { method: "GET", path: FIELD },
      {
        replace: [
          ["true", "1"],
          ["false", "0"],
        ],
      },
    ),
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");

    await expectKept(alice, [true, false]);
  },
);

check(
  "CS.profile.custom-key",
  "the server deletes a custom key, and takes the deletion of one that is not there",
  {
    mutant: [
      claims("keeps deleted keys", { method: "DELETE", path: `${PROFILE}/${KEY}` }, {}),
      altersAnswer(
        "keeps them in the whole profile",
        { method: "GET", path: PROFILE },
        { status: 200, body: { [KEY]: "text" } },
      ),
      altersAnswer(
        "refuses to delete what is not there",
        { method: "DELETE", path: `${PROFILE}/org.example.none` },
        { status: 404, body: NOT_FOUND },
      ),
    ],
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");
    ok(await setField(alice, KEY, "text"));

    const deleted = await alice.delete(field(alice, KEY));
    const absent = await alice.delete(field(alice, "org.example.none"));

    expectEqual(ok(deleted), {}, "the answer", deleted);
    expectEqual(ok(absent), {}, "the answer", absent);
    expectStatus(await alice.get(field(alice, KEY)), 404);
    expectEqual((await profileOf(alice))[KEY], undefined, "the key in the whole profile");
  },
);

check(
  "CS.profile.custom-key",
  "the server deletes the display name",
  {
    mutant: claims(
      "keeps the display name",
      { method: "DELETE", path: `${PROFILE}/displayname` },
      {},
    ),
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");
    ok(await setField(alice, "displayname", "Alice"));

    const deleted = await alice.delete(field(alice, "displayname"));
    const name = await alice.get(field(alice, "displayname"));

    expectEqual(ok(deleted), {}, "the answer", deleted);
    expectStatus(name, [200, 404]);
    const left = [at(name.json, "displayname"), (await profileOf(alice)).displayname];
    expectEqual(
      left.filter((value) => value !== undefined && value !== null),
      [],
      "the display name by key and in the whole profile",
      name,
    );
    if (name.status === 200) world.note("a deleted display name answers 200 without value");
  },
);

check(
  "CS.profile.key-missing-in-body",
  "the server refuses a body without the key of the path",
  {
    mutant: [
      claims("takes any body", { method: "PUT", path: FIELD }, {}),
      altersAnswer(
        "sets the other key all the same",
        { method: "GET", path: PROFILE },
        { status: 200, body: { "org.example.other": 1 } },
      ),
    ],
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");
    const before = await profileOf(alice);

    const response = await alice.put(field(alice, KEY), { "org.example.other": 1 });

    const errcode = expectMatrixError(response, 400, ["M_MISSING_PARAM", "M_BAD_JSON"]);
    if (errcode === "M_BAD_JSON") world.note("a body without the key answers M_BAD_JSON");
    const { "org.example.other": other, [KEY]: named, ...rest } = await profileOf(alice);
    expectEqual([other, named], [undefined, undefined], "the other key and the one of the path");
    expectEqual(rest, before, "the profile");
  },
);

check(
  "CS.profile.key-too-long",
  "the server takes a key of 255 bytes and refuses one of 256",
  {
    mutant: [
      altersAnswer(
        "takes any length",
        { method: "PUT", path: FIELD, contains: "too long", status: 400 },
        NO_ERROR,
      ),
      altersAnswer(
        "refuses the longest key",
        { method: "PUT", path: FIELD, contains: "longest" },
        { status: 400, body: { errcode: "M_KEY_TOO_LARGE", error: "no" } },
      ),
      altersRequest(
        "keeps it under a shorter key",
        { method: "PUT", path: FIELD, contains: "longest" },
        { replace: [["longest", "too long"]] },
      ),
    ],
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");
    const longest = "org.example.".padEnd(255, "k");

    const taken = await setField(alice, longest, "longest");
    const refused = await setField(alice, `${longest}k`, "too long");

    ok(taken);
    expectMatrixError(refused, 400, "M_KEY_TOO_LARGE");
    const profile = await profileOf(alice);
    expectContains(profile, { [longest]: "longest" }, "the profile");
    expectEqual(profile[`${longest}k`], undefined, "the value of the key of 256 bytes");
  },
);

/** A refusal because of size. */
function expectTooLarge(world: World, response: HttpResponse): void {
  const [status, errcode] =
    response.status === 413
      ? ([413, "M_TOO_LARGE"] as const)
      : ([400, "M_PROFILE_TOO_LARGE"] as const);
  expectMatrixError(response, status, errcode);
  if (status === 413) world.note("a large value answers 413 M_TOO_LARGE");
}

check(
  "CS.profile.too-large",
  "the server refuses a value of more than 64 KiB and keeps the former",
  {
    mutant: [
      altersAnswer("takes any size", { method: "PUT", path: FIELD, status: [400, 413] }, NO_ERROR),
      altersAnswer(
        "loses the former value",
        { method: "GET", path: PROFILE },
        { remove: [`/${KEY}`] },
      ),
    ],
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");
    ok(await setField(alice, KEY, "former"));
    const before = await profileOf(alice);

    const response = await setField(alice, KEY, "x".repeat(66_000));

    expectTooLarge(world, response);
    expectEqual(await profileOf(alice), before, "the profile");
    expectEqual(before[KEY], "former", "the value");
  },
);

check(
  "CS.profile.too-large",
  "the server refuses the field that makes the profile larger than 64 KiB",
  {
    mutant: altersAnswer(
      "looks at single fields only",
      { method: "PUT", path: FIELD, status: [400, 413] },
      NO_ERROR,
    ),
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");
    const value = "x".repeat(6000);

    const answers = [];
    for (const letter of "abcdefghijkl") {
      answers.push(await setField(alice, `org.example.${letter}`, value));
    }

    const [refused] = answers.filter(({ status }) => status !== 200);
    expectThat(refused !== undefined, "a refusal within 72000 bytes", "none", answers.at(-1));
    expectTooLarge(world, refused);
    const profile = await alice.get(whole(alice));
    const size = JSON.stringify(ok(profile)).length;
    expectThat(size <= LARGEST_PROFILE, "a profile of at most 65536 bytes", String(size));
  },
);

check(
  "CS.profile.bad-key-grammar",
  "the server refuses a key outside the namespaced grammar",
  {
    mutant: [
      claims("takes any key", { method: "PUT", path: FIELD }, {}),
      altersAnswer(
        "names another error",
        { method: "PUT", path: FIELD },
        { set: { "/errcode": "M_UNKNOWN" } },
      ),
    ],
  },
  async (world) => {
    needsKeys(world);
    const alice = await world.user("alice");
    const before = await profileOf(alice);

    const response = await setField(alice, "Bad Key!", "value");

    expectMatrixError(response, 400, "M_INVALID_PARAM");
    expectEqual(await profileOf(alice), before, "the profile");
  },
);
