import { expect, test } from "vitest";
import { partsOf, TERMS, termNamed } from "./glossary.ts";

function marked(text: string): readonly string[] {
  return partsOf(text).flatMap((part) => (part.term === undefined ? [] : [part.text]));
}

test("terms are found as words of their own, the longest first, each once", () => {
  expect(marked("Full conflicted set, and the conflicted set; the full conflicted set.")).toEqual([
    "Full conflicted set",
    "conflicted set",
  ]);
  expect(marked("Auth chains of a PDU, soft_failed")).toEqual([
    "Auth chains",
    "PDU",
    "soft_failed",
  ]);
});

test("ids, types, users and addresses have no terms in them", () => {
  const texts = ["$depth", "@rejected:hs1", "m.depth", "depth.example", "non-rejected", "depths"];
  for (const text of texts) expect(marked(text), text).toEqual([]);
});

test("the parts are the whole text, whatever stands in it", () => {
  const text = "depth \u202e <b>rejected</b> depth; an outlier";
  const known = new Set([termNamed("outlier")]);
  const parts = partsOf(text, known);
  expect(parts.map((part) => part.text).join("")).toBe(text);
  expect(parts.filter(({ term }) => term !== undefined)).toHaveLength(2);
  expect(known.size).toBe(3);
});

test("each term has an id and texts of its own, a sentence, and where it is from", () => {
  expect(new Set(TERMS.map(({ id }) => id)).size).toBe(TERMS.length);
  const texts = TERMS.flatMap(({ written }) => written);
  expect(new Set(texts).size).toBe(texts.length);
  for (const { id, written, meaning, source } of TERMS) {
    expect(id).toMatch(/^[a-z-]+$/);
    expect(marked(`so ${written[0]} is`), id).toEqual([written[0]]);
    expect(meaning, id).toMatch(/^[A-Z].*\.$/);
    expect(source, id).not.toBe("");
  }
});
