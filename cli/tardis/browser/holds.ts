import type { Page } from "playwright-core";
import { expect } from "vitest";

const PATIENCE_MS = 30_000;

/** Waits until this is true. Asked from outside: the page's policy forbids what `waitForFunction` does in it. */
export async function holds(page: Page, expression: string): Promise<void> {
  await expect.poll(() => page.evaluate(expression), { timeout: PATIENCE_MS }).toBe(true);
}
