/** All events of a run as a picture, or the newest where there are too many to look at. */
import { EdgeIndex } from "#tardis/layout/edge-index";
import type { Session } from "#tardis/view/session";
import { TEXT_ROW } from "./dag-picture.ts";
import type { Picture } from "./display-list.ts";
import { rowsPicture } from "./rows-picture.ts";

const MOST_ROWS = 2_000;

export function runPicture(session: Session, most = MOST_ROWS): Picture {
  const { rows, layout, cited, stateFollowed, title } = session.load();
  const scene = {
    rows,
    layout,
    index: new EdgeIndex(layout.top, layout.levels),
    cited,
    stateFollowed,
    flags: session.judge().flags,
    knowledge: undefined,
    // Behind the last.
    cursor: rows.size,
    citing: [],
  };
  const last = rows.size - 1;
  const first = Math.max(0, rows.size - most);
  return rowsPicture(scene, { title, first, last, rowHeight: TEXT_ROW, isNewestFirst: false });
}
