/** What signs people in stands in no file of a run: tokens, codes, verifiers, passwords, cookies, and what servers share. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { PATIENCE, Watch } from "./watch.ts";

let watch: Watch;

beforeEach(() => {
  watch = new Watch("witness-sign-in.ts");
});

afterEach(() => watch[Symbol.dispose]());

const IDS = [
  "MSC3861.reg.echo",
  "MSC3861.authz.csrf",
  "MSC3861.token.exchange",
  "MSC3861.token.code-reuse",
  "MSC3861.token.pkce-wrong",
  "MSC3861.refresh.basic",
  "MSC3861.revoke.refresh-token",
  "MSC3861.adv.csrf-device",
  "MSC3861.adv.hostile-exchange",
  // Fails on this homeserver, so that reports have a failure with its exchanges.
  "MSC3861.cs.expired-soft-logout",
  "CS.login.password",
  "CS.refresh.*",
];

test(
  "a run behind an auth service has nothing in any file that signs somebody in",
  PATIENCE,
  async () => {
    using sandbox = watch.sandbox();

    const flags = ["--auth", "oidc", "--record", "all", "--spawn-timeout-ms", "300000"];
    const run = sandbox.run([...IDS.flatMap((id) => ["--id", id]), ...flags]);
    const { stderr } = await run.ended;

    const outcomes = new Set(run.results().results.map(({ outcome }) => outcome));
    expect([...outcomes].toSorted(), stderr).toEqual(["fail", "pass"]);
    const kinds = new Set(watch.seen().map(([kind]) => kind));
    const tokens = ["access token", "refresh token", "shared secret", "cookie"];
    const more = [
      "code",
      "code verifier",
      "password",
      "anti-forgery value",
      "device code",
      "user code",
    ];
    expect([...tokens, ...more].filter((kind) => !kinds.has(kind))).toEqual([]);
    expect(watch.found(run.directory)).toEqual([]);
    watch.expectFindable();
  },
);
