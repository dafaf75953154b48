/** Dark and light: as the system has it until the reader chooses, which is remembered. */
import { TONES, type Tone, type Tones } from "#tardis/render/display-list";
import { byId } from "./dom.ts";

const KEY = "crucible-tardis-theme";

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
  apply(remembered());
}

export function switchTheme(): void {
  const chosen = document.documentElement.style.colorScheme;
  const isDark =
    chosen === "" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
  const next = isDark ? "light" : "dark";
  apply(next);
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // A page from a file may have no storage: then it is not remembered.
  }
}

function apply(theme: string): void {
  document.documentElement.style.colorScheme = theme;
}

function remembered(): string {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "dark" || theme === "light" ? theme : "";
  } catch {
    return "";
  }
}
