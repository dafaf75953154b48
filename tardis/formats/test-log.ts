/**
 * Format G: output of Go's tests, thus of Complement: as `go test -v` prints it, or as `go test -json` and gotestsum do. It
 * has no events: steps that name event ids, to be merged with files that have them.
 */
import { isObject } from "#protocol/events/event";
import type { Place } from "#tardis/model/problem";
import { Drafts, type Input, type Part } from "./part.ts";

const RESULT = /^\s*--- (PASS|FAIL|SKIP): (\S+)/;
const RUN = /^\s*=== (?:RUN|CONT|NAME)\s+(\S+)/;
const EVENT_ID = /\$[\w+/-]{43}(?![\w+/-])/g;
/** Of what a failed test printed, the end. */
const TAIL_LINES = 20;

export function isTestLog(text: string): boolean {
  return text.split("\n", 2_000).some((line) => RESULT.test(line) || /^=== RUN\s/.test(line));
}

interface Line {
  readonly place: Place;
  readonly at: number | undefined;
  readonly test: string | undefined;
  readonly output: string;
  readonly result: string | undefined;
}

export function readTestLog({ name, text, items, problems }: Input): Part {
  const lines = items.length > 0 ? items.map(jsonLine) : textLines(name, text);
  return {
    format: "test-log",
    isOrdered: true,
    versions: new Map(),
    creates: [],
    problems,
    tell: (known) => {
      const told = new Drafts(known);
      const outputs = new Map<string, string[]>();
      for (const { place, at, test, output, result } of lines) {
        if (test === undefined) continue;
        const printed = outputs.get(test) ?? [];
        outputs.set(test, printed);
        if (output.trim() !== "" && !RUN.test(output) && !RESULT.test(output)) {
          printed.push(output.trimEnd());
        }
        if (result === undefined) continue;
        const all = printed.join("\n");
        told.add(place, at, {
          t: "step",
          name: test,
          ok: result === "pass" ? true : result === "fail" ? false : null,
          ...(result === "fail" && all !== ""
            ? { message: printed.slice(-TAIL_LINES).join("\n") }
            : {}),
          events: [...new Set(all.match(EVENT_ID) ?? [])],
        });
      }
      return told;
    },
  };
}

function jsonLine({ place, value }: Input["items"][number]): Line {
  const { Time: time, Action: action, Test: test, Output: output } = isObject(value) ? value : {};
  const at = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return {
    place,
    at: Number.isNaN(at) ? undefined : at,
    test: typeof test === "string" ? test : undefined,
    output: typeof output === "string" ? output : "",
    result: action === "pass" || action === "fail" || action === "skip" ? action : undefined,
  };
}

/** Output belongs to the test that was named last. */
function textLines(name: string, text: string): readonly Line[] {
  let current: string | undefined;
  return text.split("\n").map((output, index) => {
    const [, result, ended] = RESULT.exec(output) ?? [];
    current = ended ?? RUN.exec(output)?.[1] ?? current;
    return {
      place: { file: name, line: index + 1 },
      at: undefined,
      test: current,
      output,
      result: result?.toLowerCase(),
    };
  });
}
