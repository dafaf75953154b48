/** On paper the page is light, and has the graph that is in sight as a picture. */
import type { Picture } from "#tardis/render/display-list";
import { svgOf } from "#tardis/render/svg";
import { byId, h } from "./dom.ts";

export function startPrinting(picture: () => Picture | undefined): void {
  const { style } = document.documentElement;
  let scheme = "";
  addEventListener("beforeprint", () => {
    scheme = style.colorScheme;
    style.colorScheme = "light";
    const shown = picture();
    if (shown === undefined) return;
    const image = h("img", { id: "print", alt: shown.title });
    image.src = `data:image/svg+xml,${encodeURIComponent(svgOf(shown))}`;
    byId("dag").append(image);
  });
  addEventListener("afterprint", () => {
    style.colorScheme = scheme;
    document.getElementById("print")?.remove();
  });
}
