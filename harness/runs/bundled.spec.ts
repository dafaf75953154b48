import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { bundled } from "./bundled.ts";

test("one file does what the program does, and is made again when something in it changes", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "bundled-"));
  try {
    const program = path.join(folder, "program.ts");
    const part = path.join(folder, "part.ts");
    writeFileSync(program, `import { word } from "./part.ts";\nconsole.log(word as string);\n`);
    writeFileSync(part, `export const word: string = "first";\n`);
    const run = (file: string) => execFileSync(process.execPath, [file], { encoding: "utf8" });

    const first = await bundled(program);
    expect(first).not.toBe(program);
    expect(run(first)).toBe("first\n");
    expect(await bundled(program)).toBe(first);

    writeFileSync(part, `export const word: string = "other";\n`);
    utimesSync(part, new Date(), new Date(Date.now() + 5_000));
    const second = await bundled(program);
    expect(second).not.toBe(first);
    expect(run(second)).toBe("other\n");
    // A process that was started before may still load what it needs later.
    expect(run(first)).toBe("first\n");
    rmSync(path.resolve(first, "../.."), { recursive: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what is compiled already is started as it is", async () => {
  expect(await bundled("/nowhere/child.js")).toBe("/nowhere/child.js");
});
