import { expect, test } from "vitest";
import * as value from "./values.ts";

test.each([
  ["spaces divide a text", value.list, "a b", ["a", "b"]],
  ["elements of a list stay whole", value.list, ["/my files/python"], ["/my files/python"]],
  ["commas divide names", value.names, ["a,b", "c"], ["a", "b", "c"]],
  ["letters in any case", value.oneOf(["MUST"]), "must", "MUST"],
  ["0 is no", value.boolean, "0", false],
  ["a decimal", value.number(0, 1), "0.5", 0.5],
  ["numbers, ascending, each once", value.integers(1, 9), "7,2 7", [2, 7]],
  ["a single number", value.integers(1, 9), 3, [3]],
  ["a shard", value.shard, "2/4", { index: 2, count: 4 }],
  ["no file", value.fileOrNone, false, "none"],
  ["plain bytes", value.bytes, 512, 512],
  ["decimal bytes", value.bytes, "2GB", 2e9],
  ["binary bytes", value.bytes, "1 KiB", 1024],
  ["bytes as docker writes them", value.bytes, "1g", 2 ** 30],
  [
    "a mount",
    value.mounts,
    ["/a:/b:ro"],
    [{ hostPath: "/a", containerPath: "/b", isReadOnly: true }],
  ],
])("%s", (_, parse: value.Parser<unknown>, raw, expected) => {
  expect(parse(raw)).toEqual(expected);
});

test.each([
  [value.text, "", /is ""/],
  [value.text, 1.1, /is 1.1/],
  [value.list, [null], /is empty/],
  [value.oneOf(["junit"]), "junitt", /is junitt/],
  [value.boolean, "yes", /is "yes"/],
  [value.number(0, 9), null, /is empty/],
  [value.number(0, 9), [], /is \[\]/],
  [value.number(0, 9), "1e0", /is "1e0"/],
  [value.integer(0, 9), "1.5", /is "1.5"/],
  [value.integers(1, 9), "1,ten", /is "ten"/],
  [value.shard, "3/2", /is "3\/2"/],
  [value.shard, "0/2", /is "0\/2"/],
  [value.bytes, "1constructor", /is "1constructor"/],
  [value.bytes, "much", /is "much"/],
  [value.mounts, "/a", /is "\/a"/],
  [value.mounts, "/a:/b:rw", /is/],
])("%o refuses %j", (parse: value.Parser<unknown>, raw, message) => {
  expect(() => parse(raw)).toThrow(message);
  expect(() => parse(raw)).toThrow(value.BadValue);
});
