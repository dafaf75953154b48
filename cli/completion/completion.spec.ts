/** What shells complete: by a real bash, and by zsh and fish where they are installed. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";
import { COMMANDS } from "#cli/main";
import { complete } from "./complete.ts";
import { SCRIPTS } from "./scripts.ts";

const MAIN = path.resolve(import.meta.dirname, "../main.ts");
const isThere = (shell: string) => spawnSync(shell, ["--version"]).status === 0;

/** What a shell prints that reads a file, with `crucible` on its path. */
function told(shell: string, text: string, ...options: readonly string[]) {
  using sandbox = new Sandbox();
  sandbox.script("crucible", `exec "${process.execPath}" "${MAIN}" "$@"`);
  writeFileSync(sandbox.path("read"), text);
  const env = { ...process.env, PATH: `${sandbox.folder}:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync(shell, [...options, sandbox.path("read")], {
    cwd: sandbox.folder,
    encoding: "utf8",
    env,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.split("\n").filter((line) => line !== "");
}

test.each([
  [["aud"], ["audit"]],
  [
    ["init", ""],
    ["suite", "driver", "scenario"],
  ],
  [["expect", "c"], ["check"]],
  [
    ["run", "--suite", "msc41"],
    ["msc4143", "msc4153", "msc4186"],
  ],
  [
    ["run", "--level", "M"],
    ["MUST", "MAY"],
  ],
  [
    ["run", "--auth", ""],
    ["none", "oidc"],
  ],
  [["up", "--topology", "tw"], ["two"]],
  [["report", "--format", "j"], expect.arrayContaining(["junit"])],
  [["replay", "--level", "o"], ["oracle"]],
  [["run", "--property"], ["--property-seconds"]],
  [["tardis", "shrink", "--ver"], ["--versions"]],
  [["explain", "CS.login.fl"], ["CS.login.flows"]],
  [["run", "--id", "CS.login.fl"], ["CS.login.flows"]],
  [["list", "CS.login.fl"], ["CS.login.flows"]],
  [["run", "--json", "CS.login.fl"], ["CS.login.flows"]],
  [["completion", "b"], ["bash"]],
  // Files, by the shell.
  [["run", "--out", ""], []],
  [["nowhere", ""], []],
])("%j", async (words, expected) => {
  expect(await complete(words, COMMANDS)).toEqual(expected);
});

test("bash completes a command, a requirement, and files where nothing is known", () => {
  const asked = (...words: readonly string[]) => {
    const line = ["crucible", ...words].map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _crucible; printf '%s\\n' "\${COMPREPLY[@]}"`;
  };
  const text = [
    "source <(crucible completion bash)",
    asked("aud"),
    asked("explain", "CS.login.fl"),
    asked("run", "--out", "x"),
    "complete -p crucible",
  ];

  expect(told("bash", text.join("\n"), "--norc")).toEqual([
    "audit",
    "CS.login.flows",
    "complete -o default -F _crucible crucible",
  ]);
});

test.runIf(isThere("zsh"))("zsh can read its script", () => {
  expect(told("zsh", SCRIPTS.zsh, "-n")).toEqual([]);
});

test.runIf(isThere("fish"))("fish completes a command and a suite", () => {
  const text = `${SCRIPTS.fish}\ncomplete -C 'crucible aud'\ncomplete -C 'crucible run --suite cor'`;

  expect(told("fish", text, "--no-config")).toEqual(["audit", "core"]);
});

test("another shell is refused with those that are known", async () => {
  using sandbox = new Sandbox();

  const { code, stderr } = await sandbox.crucible("completion", "bsh");

  expect(stderr).toContain("did you mean bash?");
  expect(code).toBe(2);
});
