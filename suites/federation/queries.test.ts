import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";

const API = "/_matrix/federation/v1";
const USERINFO = `${API}/openid/userinfo`;

/** A server that changes what it answers to a peer. */
function answers(
  name: string,
  route: string,
  action: { readonly set?: Record<string, string | null>; readonly status?: number },
  status: number,
): Mutant {
  return altersAnswer(name, { from: "peer-*", path: route, status }, { ...action });
}

check(
  "FED.query.directory",
  "the server resolves its aliases, and no others",
  {
    mutant: [
      answers("names no room", `${API}/query/directory`, { set: { "/room_id": null } }, 200),
      answers("answers 500 for an unknown alias", `${API}/query/directory`, { status: 500 }, 404),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const { serverName } = alice.server;
    const alias = world.name("alias");
    const roomId = await alice.createRoom({ preset: "public_chat", room_alias_name: alias });
    const client = peer.client();

    const known = await client.directory(`#${alias}:${serverName}`);
    const unknown = await client.directory(`#${world.name("none")}:${serverName}`);

    const body = ok(known);
    expectEqual(body.room_id, roomId, "the room", known);
    const { servers } = body;
    const isList = Array.isArray(servers) && servers.includes(serverName);
    expectThat(isList, `a list of servers with ${serverName}`, servers, known);
    expectMatrixError(unknown, 404, "M_NOT_FOUND");
  },
);

check(
  "FED.query.profile",
  "the server tells the profiles of its users, and of a profile the field that is asked for",
  {
    mutant: [
      answers(
        "tells more than the field",
        `${API}/query/profile`,
        { set: { "/avatar_url": "mxc://a/b" } },
        200,
      ),
      answers("answers 200 for nobody", `${API}/query/profile`, { status: 200 }, 404),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const named = await world.user("named");
    const avatar = `mxc://${alice.server.serverName}/${world.name("media")}`;
    for (const [key, value] of [
      ["displayname", "Alice"],
      ["avatar_url", avatar],
    ] as const) {
      ok(
        await alice.put(path`/_matrix/client/v3/profile/${alice.userId}/${key}`, { [key]: value }),
      );
    }
    const client = peer.client();

    const whole = await client.profile(alice.userId);
    const field = await client.profile(alice.userId, "displayname");
    const withoutAvatar = await client.profile(named.userId);
    const unknown = await client.profile(`@${world.name("nobody")}:${alice.server.serverName}`);

    if (whole.status === 403) {
      expectMatrixError(whole, 403, "M_FORBIDDEN");
      world.note("profiles are not told over federation");
      return;
    }
    expectEqual(at(ok(whole), "displayname"), "Alice", "the name", whole);
    expectEqual(at(ok(whole), "avatar_url"), avatar, "the avatar", whole);
    expectEqual(ok(field), { displayname: "Alice" }, "the field", field);
    const unset = at(ok(withoutAvatar), "avatar_url") ?? undefined;
    expectEqual(unset, undefined, "the avatar of a user without one", withoutAvatar);
    expectMatrixError(unknown, 404, "M_NOT_FOUND");
  },
);

check(
  "FED.query.profile-unset",
  "the server tells nothing for what a profile does not have",
  {
    mutant: [
      answers(
        "has null for an avatar",
        `${API}/query/profile`,
        { set: { "/avatar_url": null } },
        200,
      ),
      answers(
        "has null for a name",
        `${API}/query/profile`,
        { set: { "/displayname": null } },
        200,
      ),
      answers("has a text for none", `${API}/query/profile`, { set: { "/avatar_url": "" } }, 200),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const client = peer.client();
    const name = path`/_matrix/client/v3/profile/${alice.userId}/displayname`;

    const withoutAvatar = await client.profile(alice.userId);
    const avatar = await client.profile(alice.userId, "avatar_url");
    const emptied = await alice.put(name, { displayname: "" });
    const withoutName = await client.profile(alice.userId);

    if (withoutAvatar.status === 403) {
      expectMatrixError(withoutAvatar, 403, "M_FORBIDDEN");
      world.note("profiles are not told over federation");
      return;
    }
    const keysOf = (response: typeof avatar) => Object.keys(ok(response));
    expectThat(!keysOf(withoutAvatar).includes("avatar_url"), "no avatar", withoutAvatar.json);
    if (avatar.status === 404) expectMatrixError(avatar, 404, "M_NOT_FOUND");
    else expectEqual(ok(avatar), {}, "the avatar alone", avatar);
    if (emptied.status !== 200) {
      world.note("a name can not be taken away by an empty one");
      return;
    }
    const { displayname, ...rest } = ok(withoutName);
    if (displayname === "") world.note("an empty name is kept as one");
    else expectEqual(displayname, undefined, "the name", withoutName);
    expectThat(!("avatar_url" in rest), "no avatar", withoutName.json);
  },
);

check(
  "FED.query.openid",
  "the server tells whose an OpenID token is, and takes no other token for one",
  {
    mutant: [
      answers("tells somebody else", USERINFO, { set: { "/sub": "@mallory:other" } }, 200),
      answers("takes any token", USERINFO, { status: 200 }, 401),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const target = path`/_matrix/client/v3/user/${alice.userId}/openid/request_token`;
    const token = textAt(ok(await alice.post(target)), "access_token");
    const ask = (query: Readonly<Record<string, string>>) =>
      peer.client().request("GET", USERINFO, { query, auth: { header: () => null } });

    const right = await ask({ access_token: token });
    const wrong = [
      await ask({ access_token: world.name("unknown") }),
      await ask({ access_token: alice.accessToken }),
    ];

    expectEqual(at(ok(right), "sub"), alice.userId, "the user", right);
    for (const response of wrong) expectMatrixError(response, 401, "M_UNKNOWN_TOKEN");
  },
);
