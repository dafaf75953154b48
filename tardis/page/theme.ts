/** Dark and light: as the system has it until the reader chooses, which is remembered. */
import { TONES, type Tone, type Tones } from "#tardis/render/display-list";
import { byId } from "./dom.ts";
import { Remembered } from "./remembered.ts";

const remembered = new Remembered("theme");

/** Of the theme in force, for canvases. */
export function colours(): Tones {
  const probe = byId("probe");
  const read = (tone: Tone) => {
    probe.style.color = `var(--${tone})`;
    return [tone, getComputedStyle(probe).color];
  };
  return Object.fromEntries(TONES.map(read));
}

export function startTheme(): void {
  const { value } = remembered;
  apply(value === "dark" || value === "light" ? value : "");
}

export function switchTheme(): void {
  const chosen = document.documentElement.style.colorScheme;
  const isDark =
    chosen === "" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
  const next = isDark ? "light" : "dark";
  apply(next);
  remembered.value = next;
}

function apply(theme: string): void {
  document.documentElement.style.colorScheme = theme;
}
