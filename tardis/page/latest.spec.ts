import { expect, test } from "vitest";
import { Latest } from "./latest.ts";

test("one thing is done at a time, and of what is wanted meanwhile only the last", async () => {
  const latest = new Latest();
  const done: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const want = (name: string) => {
    const gate = Promise.withResolvers<void>();
    gates.set(name, gate);
    latest.do(async () => {
      done.push(`${name} begins`);
      await gate.promise;
      done.push(`${name} ends`);
    });
  };
  const end = async (name: string) => {
    gates.get(name)?.resolve();
    await new Promise((resolve) => setTimeout(resolve));
  };

  for (const name of ["a", "b", "c"]) want(name);
  await end("a");
  want("d");
  await end("c");
  await end("d");
  want("e");
  await end("e");

  const whole = (name: string) => [`${name} begins`, `${name} ends`];
  expect(done).toEqual(["a", "c", "d", "e"].flatMap(whole));
});
