/**
 * The two networks of one container. The control network publishes its ports and is never cut. The federation network
 * leads to the gateway: the container's proxy, and every other server's name, are that network's own address of this
 * machine. No two servers share a network, so the gateway is the only way between them.
 *
 * Both are joined before the container starts, and the control network's name sorts first: otherwise published ports
 * move when the federation network is cut and healed (seen on engine 20.10).
 */
import type Docker from "dockerode";
import { labelsOf, removeNetwork } from "./engine.ts";

export interface ContainerNetworks extends AsyncDisposable {
  readonly controlName: string;
  readonly federationName: string;
  /** This machine as the federation network's members see it. */
  readonly gatewayAddress: string;
}

/** @param name prefix of both names. */
export async function createNetworks(
  docker: Docker,
  runId: string,
  name: string,
): Promise<ContainerNetworks> {
  const [control, federation] = await Promise.all([
    createNetwork(docker, runId, `${name}-0-control`),
    createNetwork(docker, runId, `${name}-1-federation`),
  ]);
  return {
    controlName: control.name,
    federationName: federation.name,
    gatewayAddress: federation.gateway,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([control, federation].map(({ id }) => removeNetwork(docker, id)));
    },
  };
}

async function createNetwork(docker: Docker, runId: string, name: string) {
  const network = await docker.createNetwork({
    Name: name,
    Driver: "bridge",
    Labels: labelsOf(runId),
    // What is published is for this machine only.
    Options: { "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1" },
  });
  const { IPAM } = (await network.inspect()) as { IPAM?: { Config?: { Gateway?: string }[] } };
  return { id: network.id, name, gateway: IPAM?.Config?.[0]?.Gateway ?? "" };
}
