/** A page with files in it, and a Chromium to open it in: what most specs of the page begin with. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { pageTemplate, pageWith } from "#cli/tardis/page";
import type { FileText } from "#tardis/formats/load";
import { launch } from "./chromium.ts";

export class RoomPage implements AsyncDisposable {
  readonly browser: Browser;
  /** The page is in it, and goes with it. */
  readonly folder: string;
  readonly url: string;

  private constructor(browser: Browser, folder: string, page: string) {
    this.browser = browser;
    this.folder = folder;
    this.url = pathToFileURL(page).href;
  }

  static async open(files: readonly FileText[]): Promise<RoomPage> {
    const folder = mkdtempSync(path.join(tmpdir(), "crucible-room-page-"));
    const page = path.join(folder, "room.html");
    writeFileSync(page, pageWith(await pageTemplate(), files));
    return new RoomPage(await launch(), folder, page);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    rmSync(this.folder, { recursive: true });
  }
}
