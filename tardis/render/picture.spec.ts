import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EdgeIndex } from "#tardis/layout/edge-index";
import { HAS, SOFT_FAILED } from "#tardis/model/knowledge";
import type { LayoutAsk } from "#tardis/view/messages";
import { Session } from "#tardis/view/session";
import { dagShapes, type Scene } from "./dag-picture.ts";
import type { Shape } from "./display-list.ts";
import { runPicture } from "./run-picture.ts";
import { svgOf } from "./svg.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);

async function open(name: string, text: string): Promise<Session> {
  return await Session.open([{ name, text }]);
}

async function example(name: string): Promise<Session> {
  return await open(name, readFileSync(new URL(name, EXAMPLES), "utf8"));
}

const ADA = "@ada:one.test";
const BASE = { sender: ADA, room_id: "!room:one.test", origin_server_ts: 1 };

/** A chain of so many messages behind what begins a room; bodies as given, in turns. */
function chain(messages: number, body = "hello"): string {
  const create = {
    ...BASE,
    event_id: "$0",
    type: "m.room.create",
    state_key: "",
    content: { room_version: "10", creator: ADA },
    prev_events: [],
    auth_events: [],
  };
  const join = {
    ...BASE,
    event_id: "$1",
    type: "m.room.member",
    state_key: ADA,
    content: { membership: "join" },
    prev_events: ["$0"],
    auth_events: ["$0"],
  };
  const rest = Array.from({ length: messages }, (_, at) => ({
    ...BASE,
    event_id: `$${at + 2}`,
    type: "m.room.message",
    content: { msgtype: "m.text", body },
    prev_events: [`$${at + 1}`],
    auth_events: ["$0", "$1"],
  }));
  return [create, join, ...rest].map((event) => JSON.stringify(event)).join("\n");
}

function sceneOf(session: Session, change: Partial<Scene> = {}): Scene {
  const { rows, layout, cited, stateFollowed } = session.load();
  const { flags } = session.judge();
  const given = change.layout ?? layout;
  return {
    rows,
    layout: given,
    index: new EdgeIndex(given.top, given.levels),
    cited,
    stateFollowed,
    flags,
    knowledge: undefined,
    cursor: rows.size - 1,
    citing: [],
    ...change,
  };
}

function drawn(scene: Scene): readonly Shape[] {
  const last = scene.layout.rows.length - 1;
  const frame = { first: 0, last, rowHeight: 28, left: 0, wide: 500, scrolled: 0 };
  return dagShapes(scene, { ...frame, isNewestFirst: false });
}

function strokes(shapes: readonly Shape[], dash: string): number {
  return shapes.filter((shape) => shape.kind !== "text" && String(shape.dash) === dash).length;
}

test.each(readdirSync(EXAMPLES))("%s is drawn as before", async (name) => {
  const svg = svgOf(runPicture(await example(name)));
  expect(svg).toBe(svgOf(runPicture(await example(name))));
  await expect(svg).toMatchFileSnapshot(`fixtures/${name.replace(".json5", ".svg")}`);
});

test("nothing that an event holds becomes markup, or breaks the file", async () => {
  const body = '</text><script>alert(1)</script>&amp;"\ud800\uffff';
  const svg = svgOf(runPicture(await open(body, chain(1, body))));
  expect(svg).toContain("&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&quot;");
  expect(svg.match(/<(\w+)/g)?.map((tag) => tag.slice(1))).not.toContain("script");
  expect(svg.isWellFormed()).toBe(true);
  expect(svg).not.toMatch(/[\uffff\u0000-\u0009\u000b-\u001f]/);
});

test("folding leaves what has to be seen, and opens in place", async () => {
  const session = await open("chain", chain(30));
  const { size } = session.load().rows;
  const ask: LayoutAsk = {
    isFolded: true,
    isByServer: false,
    range: undefined,
    row: 10,
    kept: Uint32Array.of(20),
    unfolded: [],
    server: undefined,
  };
  const rowsOf = (change: Partial<LayoutAsk>) => [...session.layout({ ...ask, ...change }).rows];
  const folded = session.layout(ask);
  expect([...folded.rows]).toEqual([0, 1, 10, 20, size - 2, size - 1]);
  expect([...folded.hidden]).toEqual([0, 8, 9, 9, 0]);
  expect(
    drawn(sceneOf(session, { layout: folded })).filter(({ kind }) => kind === "rect"),
  ).toHaveLength(4);

  expect(rowsOf({ unfolded: [[9, 8]] }).slice(0, 11)).toEqual([...Array(11).keys()]);
  expect(rowsOf({ range: [5, 25] })).toEqual([5, 6, 10, 20, 24, 25]);
  expect(rowsOf({ range: [5, 9], isFolded: false })).toEqual([5, 6, 7, 8, 9]);
});

test("citations are drawn for those that are asked about, verdicts for a server, and later events faintly", async () => {
  const session = await open("chain", chain(4));
  expect(strokes(drawn(sceneOf(session)), "5,4")).toBe(0);
  expect(strokes(drawn(sceneOf(session, { citing: [5] })), "5,4")).toBe(2);

  const knowledge = Uint8Array.of(HAS, HAS, HAS | SOFT_FAILED, HAS, 0, 0);
  const shapes = drawn(sceneOf(session, { knowledge }));
  expect(strokes(shapes, "4,3")).toBe(1);
  const faint = (all: readonly Shape[]) =>
    all.filter((shape) => shape.kind === "circle" && shape.opacity !== undefined).length;
  expect(faint(shapes)).toBe(2);
  expect(faint(drawn(sceneOf(session, { cursor: 2 })))).toBe(3);
});
