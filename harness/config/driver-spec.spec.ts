import { describe, expect, test } from "vitest";
import { assignServers, parseServerSpec, redact } from "./driver-spec.ts";

describe("parseServerSpec", () => {
  test.each([
    ["process:synapse", { substrate: "process", driver: "synapse" }],
    ["process:synapse@1.163.2", { driver: "synapse", version: "1.163.2" }],
    [
      "process:synapse=/opt/my env/bin/python",
      { driver: "synapse", binary: "/opt/my env/bin/python" },
    ],
    ["hs2=process:synapse@1.114.0,database=postgres", { role: "hs2", version: "1.114.0" }],
    ["HS2=docker:img", { role: "hs2", image: "img" }],
    ["embedded", { substrate: "process", driver: "synapse", text: "process:synapse" }],
    ["hs1=embedded,database=sqlite", { role: "hs1", text: "process:synapse,database=sqlite" }],
    ["docker:reg.example:5000/a/b:1@sha256:ff", { image: "reg.example:5000/a/b:1@sha256:ff" }],
    ["docker:img,env=A=B", { image: "img", options: new Map([["env", "A=B"]]) }],
    ["url:https://hs.example:8448", { url: "https://hs.example:8448" }],
  ])("%s", (text, expected) => {
    expect(parseServerSpec(text)).toMatchObject(expected);
  });

  test.each([
    ["", /names no server/],
    ["proces:synapse", /did you mean process/],
    ["process:synapsee", /did you mean synapse/],
    ["synapse", /no substrate synapse/],
    ["constructor:img", /no substrate constructor/],
    ["docker:", /nothing is named/],
    ["docker=img", /no substrate img/],
    ["url:hs.example", /no http\(s\) URL/],
    ["docker:img,opt", /the option opt has no value/],
    ["docker:img,", /an option has no name or no value/],
    ["docker:img,a=1,a=2", /the option a is given twice/],
    ["process:synapse@", /nothing follows/],
  ])("%s is refused", (text, message) => {
    expect(() => parseServerSpec(text)).toThrow(message);
  });
});

describe("secrets", () => {
  test("the option keeps its value, the text does not show it", () => {
    const spec = parseServerSpec(
      "url:http://u:p@127.0.0.1:8008,shared-secret=s3cr=t,server-name=hs1",
    );
    expect(spec.options.get("shared-secret")).toBe("s3cr=t");
    expect(spec.text).toBe(
      "url:http://<redacted>@127.0.0.1:8008,shared-secret=<redacted>,server-name=hs1",
    );
    expect(redact(spec)).toBe(spec.text);
  });

  test.each([
    "urk:http://x,shared-secret=hunter2",
    "url:http://x,password=ab,hunter2",
    "url:http://x,password=ab,hunter2,c=d",
    "url:x://u:hunter2@h",
    "url:http://x,access-token=hunter2,access-token=hunter2",
    "docker:,token=hunter2",
    "urk:http://u:hunter2@h",
  ])("no error shows the one of %s", (text) => {
    expect(() => parseServerSpec(text)).toThrow(/^(?!.*hunter2)/s);
  });

  test("an image digest is no credential", () => {
    expect(redact("docker:a/b@sha256:ff,x=1")).toBe("docker:a/b@sha256:ff,x=1");
  });
});

describe("assignServers", () => {
  const specs = ["docker:img", "hs2=process:synapse"].map((text) => parseServerSpec(text));

  test("specs go to their roles, the one without a role to the rest", () => {
    const assigned = assignServers(specs, ["hs1", "hs2", "hs3"]);
    expect([...assigned.values()].map(({ text }) => text)).toEqual([
      "docker:img",
      "process:synapse",
      "docker:img",
    ]);
  });

  test("without any spec it is Synapse as a process", () => {
    expect(assignServers([], ["hs1"]).get("hs1")?.text).toBe("process:synapse");
  });

  test("a role that is not known is refused, one that is only not needed is not", () => {
    expect(() => assignServers(specs, ["hs1"], ["hs1"])).toThrow(
      /no server hs2[\s\S]*did you mean hs1/,
    );
    expect([...assignServers(specs, ["hs1"], ["hs1", "hs2"]).keys()]).toEqual(["hs1"]);
  });

  test("twice the same is refused", () => {
    expect(() => assignServers([...specs, ...specs], ["hs1"])).toThrow(/twice for all servers/);
  });
});
