import { makeIdentity, publishIdentity } from "#harness/clients/identities";
import { lists } from "#harness/clients/oauth/metadata";
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { signedIn } from "./people.ts";

const SIGNING_UPLOAD = "/_matrix/client/v3/keys/device_signing/upload";
const KEYS_QUERY = "/_matrix/client/v3/keys/query";
const UPLOAD = { method: "POST", path: SIGNING_UPLOAD };
const ASKED = { ...UPLOAD, status: 401 };
const RESET = "org.matrix.cross_signing_reset";
const REFUSAL = { flows: [{ stages: ["m.oauth"] }], params: {}, session: "session" };
const ASKS_FIRST = altersAnswer(
  "asks for approval",
  { ...UPLOAD, status: 200 },
  {
    status: 401,
    body: REFUSAL,
  },
);
const ASKS_FOR_NOTHING = altersAnswer("asks for no approval", ASKED, { status: 200, body: {} });

/** The master key of a user as the server shows it. */
async function masterKey(session: Session): Promise<unknown> {
  const body = { device_keys: { [session.userId]: [] } };
  const shown = ok(await session.post(KEYS_QUERY, body));
  const keys = at(shown, "master_keys", session.userId, "keys");
  return isObject(keys) ? Object.values(keys)[0] : undefined;
}

/** A replacement of published keys, which the server has to ask approval for. */
async function replace(session: Session) {
  const published = await publishIdentity(session);
  const other = makeIdentity(session);
  const response = await session.post(SIGNING_UPLOAD, other.body);
  return { published, other, response };
}

function stagesIn(response: HttpResponse): readonly unknown[] {
  return listAt(response.json, "flows").map((flow) => at(flow, "stages"));
}

check(
  "MSC3861.uia.first-upload",
  "the first cross-signing keys of a user need no approval",
  { mutant: ASKS_FIRST },
  async (world) => {
    const { session } = await signedIn(world);
    const identity = makeIdentity(session);

    const response = await session.post(SIGNING_UPLOAD, identity.body);

    ok(response);
    expectEqual(await masterKey(session), identity.publicKeys.master, "the master key");
  },
);

check(
  "MSC3861.uia.same-keys",
  "the same cross-signing keys once more need no approval",
  {
    mutant: {
      name: "asks for approval the second time",
      rules: [
        {
          match: { ...UPLOAD, contains: '{"user_signing_key"' },
          phase: "processed",
          action: { kind: "rewrite", status: 401, body: REFUSAL },
        },
      ],
    },
  },
  async (world) => {
    const { session } = await signedIn(world);
    const { body } = await publishIdentity(session);
    const { master_key, self_signing_key, user_signing_key } = body;

    const again = { user_signing_key, self_signing_key, master_key };
    const response = await session.post(SIGNING_UPLOAD, again);

    ok(response);
  },
);

check(
  "MSC3861.uia.m-oauth",
  "the server asks for approval on a page before other keys replace a user's",
  {
    mutant: [
      ASKS_FOR_NOTHING,
      altersAnswer("asks for a password", ASKED, {
        set: { "/flows": [{ stages: ["m.login.password"] }] },
      }),
      altersAnswer("names no page", ASKED, { remove: ["/params/m.oauth"] }),
      altersAnswer("opens no session", ASKED, { remove: ["/session"] }),
    ],
  },
  async (world) => {
    const { session, client } = await signedIn(world);

    const { response } = await replace(session);

    expectStatus(response, 401);
    textAt(response.json, "session");
    const stages = stagesIn(response);
    const isOffered = stages.some((each) => JSON.stringify(each) === '["m.oauth"]');
    expectThat(isOffered, "a flow of m.oauth alone", stages, response);
    const url = textAt(response.json, "params", "m.oauth", "url");
    const isPage = URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol);
    expectThat(isPage, "an absolute URL over http or https", url, response);
    const account = client.auth.metadata.document.account_management_uri;
    if (typeof account === "string" && !url.startsWith(account))
      world.note("the page is not below account_management_uri");
  },
);

check(
  "MSC3861.uia.m-oauth-unstable",
  "the server names the same page to clients that know the unstable stage",
  {
    mutant: altersAnswer("names another page", ASKED, {
      set: {
        "/flows/-": { stages: [RESET] },
        [`/params/${RESET}`]: { url: "https://other.example/" },
      },
    }),
  },
  async (world) => {
    const { session } = await signedIn(world);

    const { response } = await replace(session);

    expectStatus(response, 401);
    const isOffered = stagesIn(response).some((each) => JSON.stringify(each) === `["${RESET}"]`);
    world.note(`the unstable stage is ${isOffered ? "" : "not "}offered`);
    if (!isOffered) return;
    const url = textAt(response.json, "params", RESET, "url");
    expectEqual(url, textAt(response.json, "params", "m.oauth", "url"), "the page", response);
  },
);

check(
  "MSC3861.uia.action-link",
  "the page that approves is the reset of the account's keys",
  {
    mutant: altersAnswer("names the account page", ASKED, {
      set: { "/params/m.oauth/url": "https://auth.example/account" },
    }),
  },
  async (world) => {
    const { session, client } = await signedIn(world);
    const { metadata } = client.auth;
    if (!lists(metadata, "account_management_actions_supported", RESET))
      throw new Unsupported("cross-signing-reset", "the action is not listed");

    const { response } = await replace(session);

    const url = new URL(textAt(response.json, "params", "m.oauth", "url"));
    expectEqual(url.searchParams.get("action"), RESET, "action of the URL", response);
    const account = new URL(textAt(metadata.document, "account_management_uri"));
    const bases = [url, account].map(({ origin, pathname }) => `${origin}${pathname}`);
    expectEqual(bases[0], bases[1], "base of the URL", response);
  },
);

check(
  "MSC3861.uia.approve-then-upload",
  "keys replace a user's once that has been approved",
  {
    mutant: {
      name: "does not hear of the approval",
      rules: [
        {
          match: { ...UPLOAD, contains: '"auth"' },
          phase: "before",
          action: { kind: "answer", status: 401, body: REFUSAL },
        },
      ],
    },
  },
  async (world) => {
    const { session, person } = await signedIn(world);
    const { other, response } = await replace(session);
    const auth = { session: textAt(response.json, "session") };
    await world.auth().accounts.allowCrossSigningReset(person.localpart);

    const approved = await session.post(SIGNING_UPLOAD, { ...other.body, auth });

    ok(approved);
    expectEqual(await masterKey(session), other.publicKeys.master, "the master key");
  },
);

check(
  "MSC3861.uia.not-approved",
  "keys do not replace a user's before that has been approved",
  {
    mutant: [
      ASKS_FOR_NOTHING,
      altersAnswer(
        "replaces them all the same",
        { path: KEYS_QUERY },
        {
          set: { "/master_keys/*/keys": { "ed25519:other": "other" } },
        },
      ),
    ],
  },
  async (world) => {
    const { session } = await signedIn(world);
    const { published, other, response } = await replace(session);
    const opened = textAt(response.json, "session");

    for (const auth of [
      { session: opened },
      { session: "dummy" },
      { type: "m.oauth", session: opened },
    ]) {
      const again = await session.post(SIGNING_UPLOAD, { ...other.body, auth });

      expectStatus(again, 401);
    }
    expectEqual(await masterKey(session), published.publicKeys.master, "the master key");
  },
);

check(
  "MSC3861.uia.window",
  "an approval is for one user only",
  {
    mutant: [
      ASKS_FOR_NOTHING,
      altersAnswer(
        "does not hear of the approval",
        { ...UPLOAD, contains: '"auth"', status: 200 },
        { status: 401, body: REFUSAL },
      ),
    ],
  },
  async (world) => {
    const alice = await signedIn(world);
    const bob = await signedIn(world, "bob");
    const [hers, his] = [await replace(alice.session), await replace(bob.session)];
    await world.auth().accounts.allowCrossSigningReset(alice.person.localpart);
    const upload = (session: Session, { other, response }: typeof hers) => {
      const auth = { session: textAt(response.json, "session") };
      return session.post(SIGNING_UPLOAD, { ...other.body, auth });
    };

    const refused = await upload(bob.session, his);
    const approved = await upload(alice.session, hers);

    expectStatus(refused, 401);
    ok(approved);
  },
);
