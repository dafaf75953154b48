import { expect, test } from "vitest";
import { parseServerSpec } from "#harness/config/driver-spec";
import { requireVersion, says } from "./required-version.ts";

const COMMIT = "0123abcdef0123abcdef0123abcdef0123abcdef";

test.each([
  ["1.163.2", "1.163.2", true],
  ["1.163.2", "1.163", false],
  ["1.163.20", "1.163.2", false],
  ["1.164.0rc1 (b=develop,0123abcdef)", "1.164.0rc1", true],
  ["1.164.0rc1 (b=develop,0123abcdef)", COMMIT, true],
  ["1.164.0rc1 (b=develop,0123abcdef)", "0123abc", true],
  ["1.164.0rc1 (b=develop,0123abcdef)", "0123abd", false],
  ["0.13.8+0123ABC", COMMIT, true],
  // Six digits may be anybody's.
  ["0.13.8+0123ab", COMMIT, false],
  ["", COMMIT, false],
])("a server that says %j is meant by %j: %j", (said, meant, is) => {
  expect(says(said, meant)).toBe(is);
});

const server = (role: string, text: string, said: string) => ({
  role,
  spec: parseServerSpec(text),
  identity: { name: "synapse", version: "1", said },
});

test("each server that is started as hs1 is has to be what was meant, and no other", () => {
  const [own, reference] = ["docker:mine", "docker:another"];
  const servers = [
    server("hs1", own, "2.0.0"),
    server("hs2", reference, "1.0.0"),
    server("hs3", own, "1.9.9"),
  ];

  expect(() => requireVersion(servers.slice(0, 2), "2.0.0")).not.toThrow();
  expect(() => requireVersion(servers, "2.0.0")).toThrow(
    /what runs is not 2\.0\.0\n.*hs3 \(docker:mine\) says that it is 1\.9\.9\nnext: /,
  );
});
