import type { Page } from "#harness/clients/oauth/browser";
import { type AuthMetadata, discover, lists } from "#harness/clients/oauth/metadata";
import { WEB_CLIENT } from "#harness/clients/oauth/registration";
import { type OAuthSession, type Person, signIn, userAgent } from "#harness/clients/oauth/sign-in";
import { expectReadable, summary, type UserAgent } from "#harness/clients/oauth/user-agent";
import { Unsupported } from "#harness/errors";
import { at, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { tells, WHOAMI_REQUEST } from "./mutants.ts";
import { DEVICES, expectAlive, expectEnded, stage } from "./people.ts";

const LINK = { method: "GET", contains: "action=" };
const VIEW = "org.matrix.device_view";
const DELETE = "org.matrix.device_delete";
const DEACTIVATE = "org.matrix.account_deactivate";
const LOGS_OUT = altersAnswer(
  "logs out whoever follows the link",
  { ...WHOAMI_REQUEST, status: 200 },
  { status: 401, body: { errcode: "M_UNKNOWN_TOKEN", error: "no" } },
);

/** Somebody who has signed devices in, one with the browser in which they follow links to their account. */
interface Owner {
  readonly alice: Person;
  readonly device: OAuthSession;
  readonly other: Session;
  readonly agent: UserAgent;
  readonly metadata: AuthMetadata;
}

async function owner(world: World): Promise<Owner> {
  const { alice, auth, client, agent } = await stage(world);
  const device = await signIn(world, alice, { client, agent });
  const { session: other } = await signIn(world, alice, { client });
  return { alice, device, other, agent, metadata: auth.metadata };
}

function linkTo({ document }: AuthMetadata, action: string, deviceId: string): string {
  const url = new URL(textAt(document, "account_management_uri"));
  url.searchParams.set("action", action);
  url.searchParams.set("device_id", deviceId);
  return url.href;
}

/** @throws Unsupported unless the server lists the action */
function needsAction(metadata: AuthMetadata, action: string): void {
  if (!lists(metadata, "account_management_actions_supported", action))
    throw new Unsupported("account-action", `${action} is not listed`);
}

/** Actions that end something. @throws Unsupported when the server lists none */
function endingActions(metadata: AuthMetadata): readonly string[] {
  const actions = [DELETE, DEACTIVATE].filter((action) =>
    lists(metadata, "account_management_actions_supported", action),
  );
  if (actions.length === 0) throw new Unsupported("account-action", "none that ends anything");
  return actions;
}

/**
 * The page on which a link ends for somebody who is logged in, or who logs in on the way.
 *
 * @throws Unsupported when it can not be read here
 */
async function follow(agent: UserAgent, link: string, account: Person): Promise<Page> {
  const landing = await agent.visit(link, { account, until: "account-confirm" });
  if (landing.kind !== "page") fail("a page of the account", "a redirect to elsewhere");
  const { response } = landing;
  expectThat(response.status < 400, "a page of the account", summary(landing), response);
  expectReadable(landing);
  return landing;
}

/** The page, or where the link has led, names the device, and the page does not name the owner's other one. */
function expectAbout({ html, url, response }: Page, link: string, { device, other }: Owner): void {
  const { deviceId } = device.session;
  const isNamed = html.text.includes(deviceId) || (url !== link && url.includes(deviceId));
  const isAbout = isNamed && !html.text.includes(other.deviceId);
  expectThat(isAbout, `a page about ${deviceId} alone`, html.text.trim(), response);
}

check(
  "MSC3861.acct.uri",
  "the server says where accounts are managed, and what one can do there",
  {
    mutant: [
      tells("names a path", { set: { "/account_management_uri": "/account" } }),
      tells("lists numbers", { set: { "/account_management_actions_supported": [1] } }),
    ],
  },
  async (world) => {
    const { document } = await discover(world.anonymous());

    const uri = at(document, "account_management_uri");
    const actions = at(document, "account_management_actions_supported");
    if (uri === undefined && actions !== undefined) world.note("there are actions and no URI");
    if (uri !== undefined) expectThat(URL.canParse(String(uri)), "an absolute URL", uri);
    if (actions === undefined) return;
    const names = listAt(document, "account_management_actions_supported");
    expectThat(
      names.every((name) => typeof name === "string"),
      "texts",
      names,
    );
  },
);

/** Names from before MSC4191 was merged, and what they are called now. */
const FORMER: Readonly<Record<string, string>> = {
  profile: "org.matrix.profile",
  sessions_list: "org.matrix.devices_list",
  session_view: VIEW,
  session_end: DELETE,
};

check(
  "MSC3861.acct.actions-names",
  "the server lists actions by the names of the specification",
  {
    mutant: tells("lists those of a draft only", {
      set: { "/account_management_actions_supported": ["org.matrix.session_end", "profile"] },
    }),
  },
  async (world) => {
    const metadata = await discover(world.anonymous());

    const { account_management_actions_supported: listed = [] } = metadata.document;
    for (const name of Array.isArray(listed) ? listed.map(String) : []) {
      const stable = FORMER[name.replace(/^org\.matrix\./, "")];
      if (stable === undefined) continue;
      const isListed = lists(metadata, "account_management_actions_supported", stable);
      expectThat(isListed, `${stable} beside ${name}`, listed);
    }
  },
);

check(
  "MSC3861.acct.page",
  "every action that the server lists has a page, for who is logged in and who is not",
  {
    mutant: [
      altersAnswer("has no such page", { ...LINK, status: 200 }, { status: 404 }),
      altersRequest(
        "forgets the device on the way",
        { ...LINK, method: "POST" },
        { head: [["device_id=", "other="]] },
      ),
    ],
  },
  async (world) => {
    const here = await owner(world);
    const { alice, device, agent, metadata } = here;
    const { deviceId } = device.session;
    const actions = listAt(metadata.document, "account_management_actions_supported").map(String);

    for (const action of actions) await follow(agent, linkTo(metadata, action, deviceId), alice);

    if (!actions.includes(VIEW)) return;
    const stranger = userAgent(world, device.client.auth);
    const link = linkTo(metadata, VIEW, deviceId);
    const first = await stranger.visit(link, { account: alice, until: "login" });
    const asked = first.kind === "page" ? stranger.question(first) : first.kind;
    expectEqual(asked, "login", "what somebody who is not logged in is asked", first.response);
    expectAbout(await follow(stranger, link, alice), link, here);
  },
);

check(
  "MSC3861.acct.device-id-param",
  "a link to a device leads to that device",
  {
    mutant: altersRequest("does not look which", LINK, { head: [["device_id=", "other="]] }),
  },
  async (world) => {
    const here = await owner(world);
    const { alice, device, agent, metadata } = here;
    needsAction(metadata, VIEW);

    const link = linkTo(metadata, VIEW, device.session.deviceId);
    const page = await follow(agent, link, alice);

    expectAbout(page, link, here);
  },
);

const CLIENT_OF_BOB = "Client of Bob";

check(
  "MSC3861.acct.unknown-action",
  "a link with an unknown action, or somebody else's device, does no harm",
  {
    mutant: [
      altersAnswer("breaks", LINK, { status: 500 }),
      altersAnswer("shows that device", LINK, {
        replace: [["</body>", `${CLIENT_OF_BOB}</body>`]],
      }),
    ],
  },
  async (world) => {
    const { alice, device, agent, metadata } = await owner(world);
    const bobs = await stage(world, { ...WEB_CLIENT, client_name: CLIENT_OF_BOB });
    const bob = await signIn(world, bobs.alice, { client: bobs.client });
    const { deviceId } = bob.session;

    const links = [
      linkTo(metadata, "org.example.unknown", device.session.deviceId),
      linkTo(metadata, VIEW, deviceId),
      linkTo(metadata, DELETE, deviceId),
    ];
    for (const link of links) {
      const landing = await agent.visit(link, { account: alice, until: "account-confirm" });
      const { response } = landing;
      expectThat(response.status < 500, "no status of 500 or more", response.status, response);
      if (landing.kind === "page") expectReadable(landing);
      const isShown = response.text.includes(CLIENT_OF_BOB);
      expectThat(!isShown, "nothing about somebody else's device", CLIENT_OF_BOB, response);
    }
    await expectAlive(bob.session);
  },
);

check(
  "MSC3861.acct.destructive-confirm",
  "a link alone ends no session and no account",
  { mutant: LOGS_OUT },
  async (world) => {
    const { alice, device, other, agent, metadata } = await owner(world);

    for (const action of endingActions(metadata)) {
      const page = await follow(agent, linkTo(metadata, action, device.session.deviceId), alice);
      expectThat(page.html.text.trim() !== "", "a page that says what is to come", "nothing");
    }

    await expectAlive(device.session);
    await expectAlive(other);
    const { session: another } = await signIn(world, alice);
    await expectAlive(another);
  },
);

/** The page that asks before something is ended. @throws Unsupported when no reader knows it */
async function confirmation(here: Owner, action: string): Promise<Page> {
  needsAction(here.metadata, action);
  const link = linkTo(here.metadata, action, here.device.session.deviceId);
  const page = await follow(here.agent, link, here.alice);
  if (here.agent.question(page) === undefined)
    throw new Unsupported("user-agent", `nothing here knows ${summary(page)}`);
  return page;
}

check(
  "MSC3861.acct.destructive-reauth",
  "who ends a session or an account shows once more who they are",
  {
    mutant: [
      altersAnswer("does not ask", LINK, { replace: [['name="password"', 'name="other"']] }),
      LOGS_OUT,
    ],
  },
  async (world) => {
    const here = await owner(world);

    for (const action of endingActions(here.metadata)) {
      const page = await confirmation(here, action);
      const form = here.agent.form(page);
      expectThat("password" in form.fields, "a form that asks for the password", form.fields);
      await here.agent.browser.submit(form, { action: "confirm" });
      await here.agent.browser.submit(form, { action: "confirm", password: "wrong" });
    }

    await expectAlive(here.device.session);
  },
);

check(
  "MSC3861.acct.device-delete",
  "a device whose session was ended on the account page is gone",
  {
    mutant: [
      altersAnswer(
        "keeps its tokens",
        { ...WHOAMI_REQUEST, status: 401 },
        { status: 200, body: {} },
      ),
      altersAnswer(
        "keeps the device",
        { method: "GET", path: DEVICES },
        { set: { "/devices": [{ device_id: "kept" }, { device_id: "kept too" }] } },
      ),
    ],
  },
  async (world) => {
    const here = await owner(world);
    await expectAlive(here.device.session);

    const page = await confirmation(here, DELETE);
    await here.agent.answer(page, "account-confirm", { account: here.alice });

    await expectEnded(world, here.device.session);
    const listed = await here.other.get(DEVICES);
    const devices = listAt(ok(listed), "devices").map((each) => at(each, "device_id"));
    expectEqual(devices, [here.other.deviceId], "devices that are left", listed);
  },
);
