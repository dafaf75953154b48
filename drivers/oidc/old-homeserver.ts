/**
 * The calls of an auth service as homeservers know them that have none of their own for it: by the admin API of Synapse, which
 * older releases of MAS used. Synapse has the others since 1.135.
 */

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
}

/**
 * What says the same, in order.
 *
 * @param name of a call of `/_synapse/mas`, with its query
 */
export function oldCalls(name: string, body: unknown, serverName: string): readonly Call[] {
  const { pathname, searchParams } = new URL(name, "http://call/");
  const told = (body ?? {}) as Readonly<Record<string, unknown>>;
  const { localpart: _, device_id, display_name, erase, ...user } = told;
  const userId = encodeURIComponent(`@${told.localpart}:${serverName}`);
  const account = `_synapse/admin/v2/users/${userId}`;
  const device = `${account}/devices/${encodeURIComponent(String(device_id))}`;
  switch (pathname.slice(1)) {
    case "is_localpart_available": {
      const query = new URLSearchParams({ username: searchParams.get("localpart") ?? "" });
      return [{ method: "GET", path: `_synapse/admin/v1/username_available?${query}` }];
    }
    case "provision_user":
      return [{ method: "PUT", path: account, body: user }];
    case "delete_user":
      return [{ method: "POST", path: `_synapse/admin/v1/deactivate/${userId}`, body: { erase } }];
    case "reactivate_user":
      return [{ method: "PUT", path: account, body: { deactivated: false } }];
    case "upsert_device":
      return [
        { method: "POST", path: `${account}/devices`, body: { device_id } },
        ...(display_name === undefined
          ? []
          : [{ method: "PUT" as const, path: device, body: { display_name } }]),
      ];
    case "delete_device":
      return [{ method: "DELETE", path: device }];
    case "allow_cross_signing_reset":
      return [
        {
          method: "POST",
          path: `_synapse/admin/v1/users/${userId}/_allow_cross_signing_replacement_without_uia`,
          body: {},
        },
      ];
    default:
      throw new TypeError(`no call ${name}`);
  }
}
