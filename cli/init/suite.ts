/** A new suite: one requirement, its check, its mutant. All three work as they are, and are there to be replaced. */
import type { Scaffold } from "./scaffold.ts";

export function suiteScaffold(name: string): Scaffold {
  const prefix = name.toUpperCase().replaceAll("-", "");
  const id = `${prefix}.example.whoami`;
  const source = /^msc\d+$/.test(name) ? prefix : "spec client-server";
  return {
    files: {
      [`suites/${name}/requirements.yaml`]: `# Requirements of ${source}. harness/requirements/requirement.ts tells the fields; an id is never renamed.
- id: ${id}
  level: MUST
  basis: text
  source: "${source} §…; replace this example"
  statement: "A user's token tells whose it is."
  check: "GET /_matrix/client/v3/account/whoami with a token: 200, user_id is the user's."
  negative: "Tells of somebody else."
`,
      [`suites/${name}/example.test.ts`]: `import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";

const WHOAMI = "/_matrix/client/v3/account/whoami";

check(
  "${id}",
  "the server tells a user who it is",
  {
    mutant: altersAnswer(
      "tells of somebody else",
      { path: WHOAMI },
      { set: { "/user_id": "@mallory:hs1" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await alice.get(WHOAMI);

    expectEqual(ok(response).user_id, alice.userId, "user_id", response);
  },
);
`,
      [`suites/${name}/README.md`]: `# ${source}

What is covered, what is not and why, and what one has to know to read the checks.
`,
    },
    next: [
      `crucible run --suite ${name}`,
      `crucible mutants --suite ${name}`,
      `replace the example in suites/${name}, then npm run generate`,
    ],
  };
}
