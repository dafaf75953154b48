import { expect, test } from "vitest";
import { assignServers, parseServerSpec } from "./driver-spec.ts";

test.each([
  ["process:synapse", { substrate: "process", driver: "synapse" }],
  ["process:synapse@1.163.2", { driver: "synapse", version: "1.163.2" }],
  ["process:synapse=/opt/env/bin/python", { driver: "synapse", binary: "/opt/env/bin/python" }],
  ["hs2=process:synapse@1.114.0,database=postgres", { role: "hs2", version: "1.114.0" }],
  ["embedded", { substrate: "process", driver: "synapse" }],
  ["docker:reg.example:5000/a/b:1@sha256:ff", { image: "reg.example:5000/a/b:1@sha256:ff" }],
  ["hs1=docker:img", { role: "hs1", image: "img" }],
  ["url:https://hs.example:8448", { url: "https://hs.example:8448" }],
])("%s", (text, expected) => {
  expect(parseServerSpec(text)).toMatchObject(expected);
});

test("options keep their values, and secrets stay out of the text", () => {
  const spec = parseServerSpec("url:http://127.0.0.1:8008,shared-secret=s3cr=t,server-name=hs1");
  expect(spec.options.get("shared-secret")).toBe("s3cr=t");
  expect(spec.text).toBe("url:http://127.0.0.1:8008,shared-secret=<redacted>,server-name=hs1");
});

test.each([
  ["proces:synapse", /did you mean process/],
  ["process:synapsee", /did you mean synapse/],
  ["synapse", /no substrate synapse/],
  ["docker:", /nothing is named/],
  ["url:hs.example", /no http\(s\) URL/],
  ["docker:img,opt", /the option opt has no value/],
  ["process:synapse@", /nothing follows/],
])("%s is refused", (text, message) => {
  expect(() => parseServerSpec(text)).toThrow(message);
});

test("an error never shows a secret", () => {
  expect(() => parseServerSpec("urk:http://x,shared-secret=abc")).toThrow(/<redacted>/);
});

test("specs go to their roles, the one without a role to the rest", () => {
  const specs = ["docker:img", "hs2=process:synapse"].map((text) => parseServerSpec(text));
  const assigned = assignServers(specs, ["hs1", "hs2", "hs3"]);
  expect([...assigned.values()].map(({ text }) => text)).toEqual(["docker:img", "process:synapse", "docker:img"]);
  expect(assignServers([], ["hs1"]).get("hs1")?.text).toBe("process:synapse");
  expect(() => assignServers(specs.concat(specs), ["hs1"])).toThrow(/twice/);
});
