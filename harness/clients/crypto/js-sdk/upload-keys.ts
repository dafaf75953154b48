import type { UIAuthCallback } from "matrix-js-sdk/lib/interactive-auth.js";
import { confirm } from "#harness/clients/confirmation";
import { at } from "#harness/match/json";
import type { Session } from "#harness/world/session";

/** matrix-js-sdk's `authUploadDeviceSigningKeys` for a user who says yes to whatever the server asks. */
export function uploadingKeysOf(session: Session): UIAuthCallback<void> {
  return async (makeRequest) => {
    try {
      await makeRequest(null);
    } catch (error) {
      const { data } = error as { data?: unknown };
      if (typeof at(data, "session") !== "string") throw error;
      await makeRequest((await confirm(session, { json: data })) as never);
    }
  };
}
