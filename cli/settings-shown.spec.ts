import { expect, test } from "vitest";
import type { Resolved } from "#harness/config/settings";
import { settingsShown } from "./settings-shown.ts";

test("shows settings with their origins, and none of the secrets in specs", () => {
  const settings = {
    hs: ["url:https://user:hunter2@hs.example.org,shared-secret=of,the,server"],
    mas: "url:https://auth.example.org,admin-client=a,admin-secret=ofmas",
    auth: undefined,
    spawnTimeoutMs: 5,
  };
  const origins = { hs: "flag --hs", mas: "CRUCIBLE_MAS", auth: "default", spawnTimeoutMs: "file" };

  const shown = settingsShown({ settings, origins } as unknown as Resolved);

  expect(shown).toEqual({
    hs: {
      value: ["url:https://<redacted>@hs.example.org,shared-secret=<redacted>"],
      origin: "flag --hs",
    },
    mas: {
      value: "url:https://auth.example.org,admin-client=a,admin-secret=<redacted>",
      origin: "CRUCIBLE_MAS",
    },
    auth: { value: null, origin: "default" },
    "spawn-timeout-ms": { value: 5, origin: "file" },
  });
});
