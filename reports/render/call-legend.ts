/** What the shapes of a picture mean: of those that are in it. */
import { label, type Mark, mark } from "./call-shapes.ts";

const LINE = 15;

/** By the class of what is drawn. */
const BARS: Readonly<Record<string, string>> = {
  member: "member, fading as it stops sticking",
  legacy: "member by state, which does not fade",
  sticky: "another value that sticks",
  sfu: "on the SFU",
  heard: "hears",
  silent: "hears nothing",
  "missing-key": "has no key for what comes",
  failed: "can not decrypt what comes",
  ghost: "ghost: a member without media, for 1 s or more",
  eavesdropper: "eavesdropper: media, and no member",
  down: "the server is down, or cut off",
  rule: "a rule of the gateway is in force",
};

const MARKS: Readonly<Partial<Record<Mark, string>>> = {
  update: "sent again, strong as at first",
  fired: "delayed event: sent by the server",
  due: "delayed event: due, and not seen sent",
  moved: "delayed event: was due then",
  sent: "delayed event: sent when asked to",
  cancelled: "delayed event: cancelled; or no token was given",
  restart: "delayed event: restarted",
  token: "token for the SFU given",
  key: "key, with its index",
  acted: "a rule acted, or something was done",
};

/** @param drawn all lanes */
export function legendOf(drawn: string, top: number): readonly string[] {
  const has = (kind: string) => drawn.includes(`class="${kind}"`);
  const scale = { from: 0, to: 1 };
  const entries = [
    ...Object.entries(BARS)
      .filter(([kind]) => has(kind))
      .map(([kind, says]) => ({
        draw: (y: number) => `<rect x="2%" y="${y - 8}" width="18" height="8" class="${kind}"/>`,
        says,
      })),
    ...Object.entries(MARKS)
      .filter(([kind]) => has(kind))
      .map(([kind, says]) => ({
        // The shape hangs to the right of the edge.
        draw: (y: number) =>
          `${kind === "update" ? `<rect x="2%" y="${y - 8}" width="18" height="8" class="member"/>` : ""}<g transform="translate(9 0)">${mark(scale, 0, y - 4, kind as Mark, says)}</g>`,
        says,
      })),
    ...(has("left-to")
      ? [
          {
            draw: (y: number) =>
              `<rect x="2%" y="${y - 6}" width="18" height="3" style="fill:var(--sfu)"/>`,
            says: "delayed event: left to the service",
          },
        ]
      : []),
  ];
  return entries.map(
    ({ draw, says }, at) =>
      `${draw(top + at * LINE)}<g transform="translate(26 0)">${label(2, top + at * LINE, says, "soft small")}</g>`,
  );
}
