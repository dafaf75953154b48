import { expect, test } from "vitest";
import { dataScript } from "./script.ts";

const HOSTILE = [
  "');window.pwned=1;('",
  "\\');window.pwned=1//",
  "</script><!--",
  "\u2028window.pwned=1\u2029",
  "\n\r\u0000",
  '{"__proto__":1}',
];

test("whatever data holds, its script is one call with one text", () => {
  for (const text of HOSTILE) {
    const script = dataScript("index", { [text]: text });
    expect(script).toMatch(
      /^crucibleData\('index','(?:[^'\\<\r\n\u2028\u2029]|\\[^\r\n\u2028\u2029])*'\)\n$/,
    );
    let found = "";
    new Function("crucibleData", script)((_: string, data: string) => {
      found = data;
    });
    expect(found).toBe(JSON.stringify({ [text]: text }));
  }
});
