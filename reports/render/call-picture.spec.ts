import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { wholeCall } from "./call-fixture.ts";
import { callPicture } from "./call-picture.ts";

const TITLE = { requirement: "RTC.chaos.x", check: "the members agree", outcome: "fail" };

function textsOf(svg: string): readonly string[] {
  return [...svg.matchAll(/<text[^>]*>(.*?)<\/text>/g)].map(([, text = ""]) =>
    text.replace(/<[^>]*>/g, ""),
  );
}

/** Places of what has this class, percent of the width. */
function placesOf(svg: string, kind: string): readonly number[] {
  const bars = svg.matchAll(new RegExp(`<rect x="([\\d.]+)%"[^>]*class="${kind}"`, "g"));
  const marks = svg.matchAll(new RegExp(`<svg x="([\\d.]+)%"[^>]*><path[^>]*class="${kind}"`, "g"));
  return [...bars, ...marks].map(([, left]) => Number(left));
}

test("a picture has every kind that a call has, each with its meaning", () => {
  const svg = callPicture(wholeCall(), TITLE);
  const kinds = [
    "member",
    "legacy",
    "sticky",
    "sfu",
    "heard",
    "silent",
    "missing-key",
    "failed",
    "ghost",
    "eavesdropper",
    "down",
    "rule",
    "update",
    "fired",
    "due",
    "moved",
    "sent",
    "cancelled",
    "restart",
    "token",
    "key",
    "acted",
  ];
  expect(kinds.filter((kind) => placesOf(svg, kind).length < 2)).toEqual([]);
  const texts = textsOf(svg);
  for (const text of [
    "ghost: a member without media, for 1 s or more",
    "delayed event: left to the service",
    "hs1 hs1:8448 kill 2.0 s, snapshot 0.0 s",
    "org.matrix.msc4143.rtc.member 4.0 s: fired, 2 restarts",
    "on the SFU, eavesdropper 3.0 s, ghost 8.0 s",
    "1 exchanges were too long for the trace: what was in",
  ])
    expect(
      texts.some((one) => one.includes(text)),
      text,
    ).toBe(true);
});

test("what is later is further to the right, and a restart moves the mark", () => {
  const svg = callPicture(wholeCall(), TITLE);
  const [fired = Number.NaN] = placesOf(svg, "fired");
  const moved = placesOf(svg, "moved");
  expect(moved[0]).toBeLessThan(moved[1] ?? Number.NaN);
  expect(moved[1]).toBeLessThan(fired);
  const [first, second] = [...svg.matchAll(/class="member" mask="url\(#fade-10-(\d+)\)/g)];
  // 3 of 10 s have gone at the update, and 5 s later the leave is sent.
  expect([first?.[1], second?.[1]]).toEqual(["8", "6"]);
});

test("moments are told in words, in their order", () => {
  const texts = textsOf(callPicture(wholeCall(), TITLE)).map((text) => text.trim());
  const at = texts.indexOf("What happened, in seconds");
  const times = texts.slice(at + 1).flatMap((text) => /^\+([\d.]+) /.exec(text)?.[1] ?? []);
  expect(times.length).toBeGreaterThan(25);
  expect(times).toEqual(times.toSorted((a, b) => Number(a) - Number(b)));
  expect(texts.some((text) => text.includes("uses key 0 of @alice:hs1"))).toBe(true);
});

test("nothing at all is a picture that says so", () => {
  const empty = { from: 5, to: 5, places: [], rules: [], members: [], cut: 0 };
  const svg = callPicture(empty, TITLE);
  expect(textsOf(svg).join(" ")).toContain("no member, no delayed event");
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

const HOSTILE = [
  '<script>alert(1)</script>"><image href="http://evil.example/x"/>',
  "\u202e\u2066\u200f\u001b[31m\u009b2J\u0000\ufffe\ud800",
  "]]>&amp;&#0;--><!DOCTYPE x>",
  "x".repeat(1_000_000),
];

test.each(HOSTILE.map((text) => [text.slice(0, 20), text]))("%j is text", (_, text) => {
  const svg = callPicture(wholeCall(text), {
    requirement: text,
    check: text,
    outcome: text,
  });
  expect(svg).not.toMatch(/<script|<image|href="|<!DOCTYPE|\u001b|\u009b|\u202e|\u2066|\u200f/i);
  expect(svg.length).toBeLessThan(100_000);
});

test("it is well-formed XML, whatever is in it", ({ skip }) => {
  const script = "import sys, xml.dom.minidom as d; d.parseString(sys.stdin.buffer.read())";
  for (const text of ["", ...HOSTILE]) {
    const { error, status, stderr } = spawnSync("python3", ["-c", script], {
      input: callPicture(wholeCall(text), { ...TITLE, check: text }),
      encoding: "utf8",
    });
    if (error !== undefined) return skip("python3 is not there to parse it");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  }
});

test("a call of many has as many lanes as anybody looks at, and a number", () => {
  const { members, ...call } = wholeCall();
  const many = Array.from({ length: 100 }, () => members[1]).filter((one) => one !== undefined);
  const [first] = members;
  const [delayed] = first?.delayed ?? [];
  const type = (at: number) => ({ type: `type ${at}` });
  const full = first &&
    delayed && {
      ...first,
      delayed: Array.from({ length: 300 }, (_, at) => ({ ...delayed, ...type(at) })),
    };
  const svg = callPicture({ ...call, members: [...(full ? [full] : []), ...many] }, TITLE);
  const texts = textsOf(svg).join("\n");
  expect(texts).toMatch(/77 lanes of members are left out/);
  expect(texts).toMatch(/and \d+ more rows/);
  expect(texts).toMatch(/and \d+ lines more: crucible call --json/);
});
