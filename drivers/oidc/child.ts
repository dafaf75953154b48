/** The service's process. Told by a settings file; it ends on SIGTERM, and SIGKILL costs it nothing. */
import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { IDLE_MS } from "#harness/http/idle";
import { makeService } from "./service.ts";
import type { ServiceSettings } from "./settings.ts";

const file = process.argv[2];
if (file === undefined) throw new Error("the settings file is missing");
const settings: ServiceSettings = JSON.parse(readFileSync(file, "utf8"));
const { web, control } = makeService(settings);
for (const server of [web, control]) server.keepAliveTimeout = IDLE_MS;
control.listen(settings.control.port, settings.control.host);
web.listen(settings.port, settings.host, () => {
  console.log(`auth service of ${settings.serverName}, listening at port ${settings.port}`);
  // By itself Node does this at the end, and SIGKILL ends it often.
  flushCompileCache();
});
process.on("SIGTERM", () => process.exit(0));
