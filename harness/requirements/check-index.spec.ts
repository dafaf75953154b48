import { expect, test } from "vitest";
import { scanChecks } from "./check-index.ts";

const scan = (text: string) => scanChecks(text, "/a.test.ts", "core");

test("reads ids, titles and lines in both quotes, on one line and on several", () => {
  const { checks, unreadable } = scan(`
check('CS.a.one', 'the server "does" it', async (world) => {});
check(
  "CS.a.two",
  "the server's \\"other\\" way",
  { deadlineMs: 1 },
  async (world) => {},
);
`);

  expect(unreadable).toEqual([]);
  expect(checks).toEqual([
    {
      id: "CS.a.one",
      title: 'the server "does" it',
      suite: "core",
      file: "/a.test.ts",
      line: 2,
      mutants: false,
    },
    {
      id: "CS.a.two",
      title: `the server's "other" way`,
      suite: "core",
      file: "/a.test.ts",
      line: 3,
      mutants: false,
    },
  ]);
});

test("tells which checks have a mutant", () => {
  const { checks } = scan(`
check("CS.a.one", "with", { mutant: { name: "x", rules: [] } }, async () => {});
check("CS.a.two", "without", async () => {
  // mutant: not this one
});
check("CS.a.three", "shorthand", { mutant }, async () => {});
`);

  expect(checks.map(({ mutants }) => mutants)).toEqual([true, false, true]);
});

test("ignores comments, strings, methods and longer names", () => {
  const { checks, unreadable } = scan(`
// check(1)
/** check(2) */
const text = "check(3)" + 'check(4)' + \`check(5)\`;
recheck(6); world.check(7); check.length;
const pattern = /a\\/*b"/;
const target = path\`/x/\${\`\${id}\`}\`;
check("CS.a.one", "is found", async () => {});
`);

  expect(unreadable).toEqual([]);
  expect(checks.map(({ id }) => id)).toEqual(["CS.a.one"]);
});

test("reports what it can not read, and tests without requirement", () => {
  const { checks, unreadable } = scan(`
check(id, "computed", async () => {});
check("CS.a.one", \`template\`, async () => {});
for (const x of xs) check("CS.a." + x, "joined", async () => {});
check("CS.a.one", "escape \\u0041", async () => {});
check.only("CS.a.one", "alone", async () => {});
test("no requirement", () => {});
  it.skip("neither", () => {});
/x/.test("fine");
`);

  expect(checks).toEqual([]);
  expect(unreadable.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 7, 8]);
});
