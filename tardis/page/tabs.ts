/** The tabs of the views. */
import { button, byId } from "./dom.ts";
import { VIEWS, type ViewName } from "./place.ts";

export function makeTabs(choose: (view: ViewName) => void): void {
  for (const [at, { name, key: shortcut, what }] of VIEWS.entries()) {
    const tab = button(name, () => choose(name), {
      role: "tab",
      id: `tab-${name}`,
      title: what,
      "aria-controls": "detail",
      "aria-keyshortcuts": shortcut,
    });
    byId("tabs").append(tab);
    tab.addEventListener("keydown", ({ key }) => {
      const by = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
      if (by === 0) return;
      const next = VIEWS[(at + by + VIEWS.length) % VIEWS.length]?.name ?? name;
      choose(next);
      byId(`tab-${next}`).focus();
    });
  }
}

export function selectTab(view: ViewName): void {
  for (const { name } of VIEWS) {
    byId(`tab-${name}`).setAttribute("aria-selected", String(name === view));
    byId(`tab-${name}`).tabIndex = name === view ? 0 : -1;
  }
  byId("detail").setAttribute("aria-labelledby", `tab-${view}`);
}
