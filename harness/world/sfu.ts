/** The SFU of a check's homeserver. Kill, pause or restart it by `world.actOnServer(sfu.role, …)`. */
import type { SfuAccess, ShowsRooms } from "#harness/deployment/rtc-contract";
import type { Control } from "./control.ts";
import type { DeploymentInfo, SfuInfo } from "./run-info.ts";

export interface WorldSfu extends SfuInfo, ShowsRooms {
  /** Key and secret with which tokens for it are signed. */
  access(): Promise<SfuAccess>;
}

export function sfuOf(control: Control, deployment: DeploymentInfo, info: SfuInfo): WorldSfu {
  const ask = async <T>(method: Parameters<Control["askSfu"]>[2], ...parameters: string[]) =>
    (await control.askSfu(deployment.id, info.place, method, parameters)) as T;
  return {
    ...info,
    access: () => ask("access"),
    rooms: () => ask("rooms"),
    participants: (room) => ask("participants", room),
  };
}
