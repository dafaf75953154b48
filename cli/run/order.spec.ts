import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { orderFiles } from "./order.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const whole = path.join(folder, name);
  writeFileSync(whole, text);
  return whole;
}

test("files with isolated checks stand between others, the largest first", async () => {
  const [small, large, own, largerOwn] = [
    file("small", "check()"),
    file("large", "check() ".repeat(5)),
    file("own", "{ isolated: {} }"),
    file("larger-own", "{ isolated: {} }".repeat(2)),
  ] as const;
  const [a, b] = [file("a", ""), file("b", "b")] as const;

  const { files } = await orderFiles([small, own, a, large, largerOwn, b]);
  expect(files).toEqual([largerOwn, large, small, own, b, a]);
});

test("no file is lost where most have isolated checks", async () => {
  const all = ["c", "d", "e"].map((name) => file(name, `isolated: ${name}`));

  expect((await orderFiles(all)).files).toEqual(all);
});

test("a third worker is for runs with many isolated checks", async () => {
  const own = file("own", "isolated: {}");
  const others = ["a", "b", "c", "d"].map((name) => file(name, ""));

  expect((await orderFiles([own, ...others.slice(1)])).workers).toBe(3);
  expect((await orderFiles([own, ...others])).workers).toBe(2);
});
