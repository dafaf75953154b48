/** What administrators of a check's homeserver can do by its own means, where its driver offers that. */
import type { Administration } from "#harness/deployment/contract";
import { Unsupported } from "#harness/errors";
import type { Control } from "./control.ts";
import { placeOf } from "./deal.ts";
import type { DeploymentInfo, ServerInfo } from "./run-info.ts";

/** Each method throws Unsupported where the driver has no such ability. */
export interface WorldAdministration {
  /** Locks a user's account, or unlocks it. */
  lock(userId: string, isLocked: boolean): Promise<void>;
  /** Suspends a user, or lets them be again. */
  suspend(userId: string, isSuspended: boolean): Promise<void>;
  /** Gives a user as much power in a room as its most powerful local member can. */
  makeRoomAdmin(roomId: string, userId: string): Promise<void>;
  /** Has the server forget the events of a room that are older than this one. */
  purge(roomId: string, eventId: string): Promise<void>;
}

export interface Administered {
  readonly deployment: DeploymentInfo;
  readonly has: (feature: string) => boolean;
}

export function administrationOf(
  control: Pick<Control, "administer">,
  world: Administered,
  adminToken: string,
  { role }: Pick<ServerInfo, "role">,
): WorldAdministration {
  const ask = async (capability: Administration, method: string, ...parameters: unknown[]) => {
    if (!world.has(`server:${capability}`)) throw new Unsupported(`server:${capability}`);
    const { deployment } = world;
    const place = placeOf(deployment, role);
    await control.administer(deployment.id, place, capability, method, [...parameters, adminToken]);
  };
  return {
    lock: (userId, isLocked) => ask("locksUsers", "lock", userId, isLocked),
    suspend: (userId, isSuspended) => ask("suspendsUsers", "suspend", userId, isSuspended),
    makeRoomAdmin: (roomId, userId) => ask("makesRoomAdmins", "makeRoomAdmin", roomId, userId),
    purge: (roomId, eventId) => ask("purgesHistory", "purge", roomId, eventId),
  };
}
