import { type HttpResponse, path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { type Account, type ServerClient, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  FIELD,
  field,
  hasKeys,
  KEY,
  needsKeys,
  PROFILE,
  profileOf,
  setField,
  whole,
} from "./profiles.ts";
import { ROOM } from "./rooms.ts";

const NO_ERROR = { status: 200, body: {} };
const FORBIDDEN = { errcode: "M_FORBIDDEN", error: "no" };
const NOT_FOUND = { errcode: "M_NOT_FOUND", error: "no" };

function avatar(world: World): string {
  return `mxc://${world.server().serverName}/${world.name("avatar")}`;
}

check(
  "CS.profile.set-get",
  "the server shows a new display name and avatar by key and in the whole profile",
  {
    mutant: [
      claims("drops the display name", { method: "PUT", path: `${PROFILE}/displayname` }, {}),
      claims("drops the avatar", { method: "PUT", path: `${PROFILE}/avatar_url` }, {}),
      altersAnswer(
        "shows another avatar by key",
        { method: "GET", path: `${PROFILE}/avatar_url` },
        { set: { "/avatar_url": "mxc://example.org/other" } },
      ),
      altersAnswer(
        "lags behind in the whole profile",
        { method: "GET", path: PROFILE },
        { set: { "/displayname": "Alice" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const avatarUrl = avatar(world);
    ok(await setField(alice, "displayname", "Alice"));
    await profileOf(alice);

    const named = await setField(alice, "displayname", "Alice Margatroid");
    const pictured = await setField(alice, "avatar_url", avatarUrl);
    const profile = await alice.get(whole(alice));
    const name = await alice.get(field(alice, "displayname"));
    const picture = await alice.get(field(alice, "avatar_url"));

    expectEqual(ok(named), {}, "the answer", named);
    expectEqual(ok(pictured), {}, "the answer", pictured);
    const expected = { displayname: "Alice Margatroid", avatar_url: avatarUrl };
    expectContains(ok(profile), expected, "the whole profile", profile);
    expectEqual(ok(name), { displayname: "Alice Margatroid" }, "the display name", name);
    expectEqual(ok(picture), { avatar_url: avatarUrl }, "the avatar", picture);
  },
);

check(
  "CS.profile.public-lookup",
  "the server shows a profile to those who share a room with the user",
  {
    mutant: [
      altersAnswer(
        "hides profiles from everybody",
        { method: "GET", path: PROFILE },
        { status: 403, body: FORBIDDEN },
      ),
      altersAnswer("shows an empty profile", { method: "GET", path: PROFILE }, { body: {} }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    ok(await setField(alice, "displayname", "Alice"));
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(roomId, alice);

    const response = await bob.get(whole(alice));

    expectContains(ok(response), { displayname: "Alice" }, "the profile", response);
  },
);

check(
  "CS.profile.public-lookup",
  "the server shows a profile to strangers or refuses it in due form",
  {
    mutant: [
      altersAnswer(
        "denies users to strangers",
        { method: "GET", path: PROFILE },
        { status: 404, body: NOT_FOUND },
      ),
      altersAnswer(
        "fails on clients without token",
        { method: "GET", path: `${PROFILE}/displayname` },
        { status: 500 },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    ok(await setField(alice, "displayname", "Alice"));

    const stranger = await mallory.get(whole(alice));
    const anonymous = await world.anonymous().get(field(alice, "displayname"));

    if (stranger.status === 200) {
      expectContains(ok(stranger), { displayname: "Alice" }, "the profile", stranger);
    } else {
      expectMatrixError(stranger, 403, "M_FORBIDDEN");
      world.note("strangers can not look profiles up");
    }
    if (anonymous.status === 200) {
      expectEqual(ok(anonymous), { displayname: "Alice" }, "the display name", anonymous);
    } else {
      expectMatrixError(anonymous, [401, 403], ["M_MISSING_TOKEN", "M_FORBIDDEN"]);
      world.note(`a look-up without token answers ${anonymous.status}`);
    }
  },
);

/** A refusal to touch the profile of another. */
function expectNotMine(world: World, response: HttpResponse): void {
  expectMatrixError(response, [400, 403], "M_FORBIDDEN");
  if (response.status === 400) {
    world.note("a change of another user's profile answers 400 M_FORBIDDEN, not 403");
  }
}

/** What changes a profile, as seen by its user. */
function overwritten(name: string) {
  return altersAnswer(
    name,
    { method: "GET", path: PROFILE },
    { set: { "/displayname": "Mallory", "/avatar_url": "mxc://example.org/mallory" } },
  );
}

check(
  "CS.profile.other-user",
  "the server refuses to set keys of another user's profile",
  {
    mutant: [
      altersAnswer(
        "takes anybody's display name",
        { method: "PUT", path: `${PROFILE}/displayname`, contains: "Mallory" },
        NO_ERROR,
      ),
      altersAnswer(
        "takes anybody's avatar",
        { method: "PUT", path: `${PROFILE}/avatar_url`, contains: "mallory" },
        NO_ERROR,
      ),
      overwritten("refuses and sets all the same"),
    ],
  },
  async (world) => {
    const [bob, mallory] = await world.users("bob", "mallory");
    const avatarUrl = avatar(world);
    ok(await setField(bob, "displayname", "Bob"));
    ok(await setField(bob, "avatar_url", avatarUrl));

    const name = await mallory.put(field(bob, "displayname"), { displayname: "Mallory" });
    const picture = await mallory.put(field(bob, "avatar_url"), {
      avatar_url: "mxc://example.org/mallory",
    });

    expectNotMine(world, name);
    expectNotMine(world, picture);
    const expected = { displayname: "Bob", avatar_url: avatarUrl };
    expectContains(await profileOf(bob), expected, "the profile");
  },
);

check(
  "CS.profile.other-user",
  "the server refuses to set and delete custom keys of another user's profile",
  {
    mutant: [
      altersAnswer("deletes for anybody", { method: "DELETE", path: FIELD }, NO_ERROR),
      altersAnswer(
        "takes anybody's custom keys",
        { method: "PUT", path: FIELD, contains: "mallory" },
        NO_ERROR,
      ),
      altersAnswer(
        "refuses and deletes all the same",
        { method: "GET", path: PROFILE },
        { remove: [`/${KEY}`] },
      ),
    ],
  },
  async (world) => {
    needsKeys(world);
    const [bob, mallory] = await world.users("bob", "mallory");
    ok(await setField(bob, "displayname", "Bob"));
    ok(await setField(bob, KEY, "bob's"));

    const refused = [
      await mallory.put(field(bob, KEY), { [KEY]: "mallory's" }),
      await mallory.delete(field(bob, KEY)),
      await mallory.delete(field(bob, "displayname")),
    ];

    for (const response of refused) expectNotMine(world, response);
    expectContains(await profileOf(bob), { displayname: "Bob", [KEY]: "bob's" }, "the profile");
  },
);

check(
  "CS.profile.unknown-user",
  "the server has no profile of a user who does not exist",
  {
    mutant: [
      altersAnswer("shows an empty profile", { method: "GET", path: PROFILE }, NO_ERROR),
      altersAnswer("has no errcode", { method: "GET", path: PROFILE }, { remove: ["/errcode"] }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const userId = `@${world.name("unknown")}:${world.server().serverName}`;

    const response = await alice.get(path`/_matrix/client/v3/profile/${userId}`);

    if (response.status === 403) expectMatrixError(response, 403, "M_FORBIDDEN");
    else expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

check(
  "CS.profile.wrong-type",
  "the server refuses a display name and an avatar that are numbers",
  {
    mutant: [
      altersAnswer(
        "takes any display name",
        { method: "PUT", path: `${PROFILE}/displayname`, status: 400 },
        NO_ERROR,
      ),
      altersAnswer(
        "takes a number as avatar",
        { method: "PUT", path: `${PROFILE}/avatar_url`, status: 400 },
        NO_ERROR,
      ),
      altersAnswer(
        "refuses and sets all the same",
        { method: "GET", path: PROFILE },
        { set: { "/displayname": 5 } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    ok(await setField(alice, "displayname", "Alice"));

    const name = await setField(alice, "displayname", 5);
    const picture = await setField(alice, "avatar_url", 5);
    const { displayname, avatar_url } = await profileOf(alice);
    const noMxc = await setField(alice, "avatar_url", "https://example.org/a.png");
    const zone = hasKeys(world) ? await setField(alice, "m.tz", 5) : undefined;

    expectMatrixError(name, 400, ["M_BAD_JSON", "M_INVALID_PARAM"]);
    expectMatrixError(picture, 400, ["M_BAD_JSON", "M_INVALID_PARAM"]);
    expectEqual(displayname, "Alice", "the display name");
    expectThat(typeof avatar_url !== "number", "no number as avatar", avatar_url);
    if (noMxc.status === 200) world.note("an avatar_url that is no mxc URI is taken");
    if (zone?.status === 200) world.note("the number 5 is taken as m.tz");
  },
);

/** How long a new profile may take into a room. */
const PROPAGATION_MS = 5_000;

/** The content of a user's member event in a timeline; undefined when there is none that has all this. */
function memberWith(body: JsonObject, roomId: string, user: Account, expected: JsonObject) {
  return timeline(body, roomId).find(
    ({ type, state_key, content }) =>
      type === "m.room.member" &&
      state_key === user.userId &&
      Object.entries(expected).every(([key, value]) => content[key] === value),
  );
}

async function expectMember(
  reader: ServerClient,
  roomId: string,
  user: Account,
  content: JsonObject,
) {
  const target = path`/_matrix/client/v3/rooms/${roomId}/state/m.room.member/${user.userId}`;
  const response = await reader.get(target);
  expectContains(ok(response), content, "the member event", response);
}

check(
  "CS.profile.propagates",
  "the server copies a new display name and avatar into the member events of joined rooms",
  {
    mutant: [
      claims("leaves the name in rooms", { method: "PUT", path: `${PROFILE}/displayname` }, {}),
      claims("leaves the avatar in rooms", { method: "PUT", path: `${PROFILE}/avatar_url` }, {}),
      altersAnswer(
        "hides the new name from sync",
        { path: "/_matrix/client/v3/sync" },
        { replace: [["Alice Margatroid", "Alice"]] },
      ),
      altersAnswer(
        "shows the old name in the state",
        { path: `${ROOM}/state/m.room.member/*` },
        { replace: [["Alice Margatroid", "Alice"]] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    ok(await setField(alice, "displayname", "Alice"));
    const options = { preset: "private_chat", invite: [bob.userId] };
    const rooms = [await alice.createRoom(options), await alice.createRoom(options)];
    for (const roomId of rooms) await bob.join(roomId, alice);
    const since = await bob.syncToken();
    const avatarUrl = avatar(world);

    const named = { membership: "join", displayname: "Alice Margatroid" };
    const expected = { ...named, avatar_url: avatarUrl };
    const showsEverywhere = async (member: JsonObject) => {
      for (const roomId of rooms) {
        await world.eventually(() => expectMember(bob, roomId, alice, member), {
          deadlineMs: PROPAGATION_MS,
        });
      }
    };
    ok(await setField(alice, "displayname", named.displayname));
    // Of two changes at once, which no rule speaks of, the earlier may come last.
    await showsEverywhere(named);
    ok(await setField(alice, "avatar_url", avatarUrl));
    await showsEverywhere(expected);
    const seen = new Set<string>();
    await bob.syncUntil(since, "the new member events of alice in both rooms", (body) => {
      for (const roomId of rooms) {
        if (memberWith(body, roomId, alice, expected) !== undefined) seen.add(roomId);
      }
      return seen.size === rooms.length ? true : undefined;
    });
  },
);
