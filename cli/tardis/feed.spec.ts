import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { Feed } from "./feed.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-feed-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Takes everything, or nothing until it is freed. */
class Taker extends Writable {
  written = "";
  #waiting: (() => void) | undefined;
  #isStuck: boolean;

  constructor(isStuck = false) {
    super({ highWaterMark: 1024, decodeStrings: false });
    this.#isStuck = isStuck;
  }

  override _write(chunk: string, _: BufferEncoding, done: () => void): void {
    this.written += chunk;
    if (this.#isStuck) this.#waiting = done;
    else done();
  }

  free(): void {
    this.#isStuck = false;
    this.#waiting?.();
  }

  /** By event name, in order; `id` of the last text. */
  get events() {
    return this.written
      .split("\n\n")
      .filter((block) => block !== "")
      .map((block) => {
        const fields = new Map(
          block.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]),
        );
        return {
          name: fields.get("event"),
          id: fields.get("id"),
          data: JSON.parse(fields.get("data") ?? "null") as unknown,
        };
      });
  }

  get text(): string {
    return this.events.map(({ name, data }) => (name === "text" ? data : "")).join("");
  }
}

function fileOf(name: string, text = ""): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

test("a reader that takes nothing has one piece waiting for it, however much there is, and holds nobody up", async () => {
  await using feed = new Feed();
  const line = `${JSON.stringify({ t: "note", text: "é€😀".repeat(5_000) })}\n`;
  const file = fileOf("big", line);
  const [slow, fast] = [new Taker(true), new Taker()];
  feed.begin("big", file);
  feed.attach(slow);
  feed.attach(fast);

  for (let at = 1; at < 100; at++) {
    appendFileSync(file, line);
    feed.stir();
    feed.say({ at });
    await turn();
  }

  await expect.poll(() => fast.text).toBe(line.repeat(100));
  expect(fast.events.findLast(({ name }) => name === "status")?.data).toEqual({ at: 99 });
  expect(line.length * 100).toBeGreaterThan(1_000_000);
  expect(slow.writableLength).toBeLessThan(100_000);
  slow.free();
  await expect.poll(() => slow.text).toBe(line.repeat(100));
});

test("who comes back goes on where it was, in the same file only", async () => {
  await using feed = new Feed();
  const file = fileOf("first", "one\n");
  const reader = new Taker();
  feed.begin("first", file);
  feed.attach(reader);
  await expect.poll(() => reader.text).toBe("one\n");
  const { id } = reader.events.at(-1) ?? expect.unreachable();
  reader.destroy();
  appendFileSync(file, "two\n");

  const again = new Taker();
  feed.attach(again, id);
  await expect.poll(() => again.text).toBe("two\n");
  expect(again.events.map(({ name }) => name)).toEqual(["text"]);

  feed.begin("second", fileOf("second", "three\n"));
  const late = new Taker();
  feed.attach(late, id);
  await expect.poll(() => late.text).toBe("three\n");
  expect(late.events[0]).toMatchObject({ name: "begin", data: { name: "second" } });
  for (const odd of ["", "9.9", "1.-1", "1.99999999999999999999", "x"]) {
    const other = new Taker();
    feed.attach(other, odd);
    await expect.poll(() => other.text, { message: odd }).toBe("three\n");
  }
});

test("at the end everyone gets the rest, and who is stuck is left", async () => {
  const feed = new Feed();
  const file = fileOf("last", "a\n");
  const [reader, stuck] = [new Taker(), new Taker(true)];
  feed.begin("last", file);
  feed.attach(reader);
  feed.attach(stuck);
  appendFileSync(file, "b\n");

  await feed[Symbol.asyncDispose]();

  expect(reader.text).toBe("a\nb\n");
  expect(reader.events.at(-1)?.name).toBe("end");
  expect(reader.writableEnded).toBe(true);
});
