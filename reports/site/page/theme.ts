/** Dark and light: as the system has it until the reader chooses, which is remembered. */
import { remembered } from "./remembered.ts";

const choice = remembered("theme");

export function startTheme(): void {
  const { value } = choice;
  apply(value === "dark" || value === "light" ? value : "");
}

export function switchTheme(): void {
  const chosen = document.documentElement.style.colorScheme;
  const isDark =
    chosen === "" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
  choice.value = isDark ? "light" : "dark";
  apply(choice.value);
}

function apply(theme: string): void {
  document.documentElement.style.colorScheme = theme;
}
