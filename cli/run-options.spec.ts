import { Command } from "commander";
import { expect, test } from "vitest";
import { SETTING_ROWS } from "#harness/config/settings";
import { addRunOptions, flagsOf } from "./run-options.ts";

function parse(...argv: string[]): Command {
  const command = addRunOptions(new Command("run")).argument("[ids...]").exitOverride();
  return command.configureOutput({ writeErr: () => undefined }).parse(argv, { from: "user" });
}

test("only what was given is there, under the names of the table", () => {
  expect(flagsOf(parse())).toEqual({});
  expect(flagsOf(parse("--strict", "--timeout-scale", "2", "--no-fail-if-none"))).toEqual({
    strict: true,
    timeoutScale: "2",
    failIfNone: false,
  });
});

test("a repeatable flag collects, and leaves the ids alone", () => {
  const command = parse("--suite", "core", "--hs", "hs1=docker:a", "--hs", "docker:b", "CS.push.*");
  expect(flagsOf(command)).toEqual({ suite: ["core"], hs: ["hs1=docker:a", "docker:b"] });
  expect(command.args).toEqual(["CS.push.*"]);
});

test("--no-expect and --expect are one setting", () => {
  expect(flagsOf(parse("--no-expect"))).toEqual({ expect: false });
  expect(flagsOf(parse("--expect", "x.yaml"))).toEqual({ expect: "x.yaml" });
});

test("every setting has a flag that commander files under its name", () => {
  const known = new Set(parse().options.map((option) => option.attributeName()));
  expect(SETTING_ROWS.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
});

test("help is grouped and names variables and defaults", () => {
  const help = parse().helpInformation();
  expect(help).toContain("Options, servers:");
  expect(help.replace(/\s+/g, " ")).toMatch(/--retry <n> .*\[CRUCIBLE_RETRY\] \(default: 0\)/);
});

test("an unknown flag is refused", () => {
  expect(() => parse("--suit", "core")).toThrow(/unknown option '--suit'[\s\S]*--suite/);
});
