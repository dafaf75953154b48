/** Dark and light: as the system has it until the reader chooses, which is remembered. */
import { byId } from "./dom.ts";

const KEY = "crucible-tardis-theme";

export interface Colours {
  readonly ink: string;
  readonly paper: string;
  readonly line: string;
  readonly select: string;
  readonly fail: string;
  readonly warn: string;
  readonly focus: string;
  readonly servers: readonly string[];
}

/** Of the theme in force, for canvases. */
export function colours(): Colours {
  const probe = byId("probe");
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  return {
    ink: read("ink-2"),
    paper: read("paper"),
    line: read("line"),
    select: read("sel"),
    fail: read("fail"),
    warn: read("warn"),
    focus: read("focus"),
    servers: ["s1", "s2", "s3", "s4"].map(read),
  };
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
