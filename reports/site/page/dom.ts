/** Elements, made without markup: whatever a text holds, it is a text. */

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
type Children = readonly (Node | string)[];

/** Attributes that could run something or lead somewhere are refused; false and undefined leave one out. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Children
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (/^(?:on|style$|src|href$)/.test(name)) throw new Error(`no attribute ${name}`);
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** A place in this site, or a page that was copied into it. */
const ADDRESS = /^(?:#\/[^\s<>"]*|replay\/\d+\.html(?:#[\w%&=.*+-]*)?)$/;

export function link(address: string, attributes: Attributes, ...children: Children) {
  const element = h("a", attributes, ...children);
  lead(element, address);
  return element;
}

/** Has a link lead there; nowhere when the address is none of this site. */
export function lead(element: HTMLAnchorElement, address: string): void {
  if (ADDRESS.test(address)) element.href = address;
  else element.removeAttribute("href");
}

/** A text of strangers: its direction stays its own. */
export function bdi(text: string, className = ""): HTMLElement {
  return h("bdi", { class: className === "" ? undefined : className }, text);
}

export function button(text: string, onPress: () => void, attributes: Attributes = {}) {
  const element = h("button", { type: "button", ...attributes }, text);
  element.addEventListener("click", onPress);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag: string, attributes: Attributes = {}, ...children: Children): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** @throws Error when the page is without it */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}
