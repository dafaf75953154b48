/** Which servers a deployment has, as data. */
export interface Topology {
  readonly name: string;
  /** Roles, which are also the host names. */
  readonly servers: readonly string[];
  readonly description: string;
}

export const TOPOLOGIES: readonly Topology[] = [
  { name: "one", servers: ["hs1"], description: "one homeserver" },
  { name: "two", servers: ["hs1", "hs2"], description: "two homeservers that federate" },
  { name: "three", servers: ["hs1", "hs2", "hs3"], description: "three homeservers that federate" },
  {
    name: "four",
    servers: ["hs1", "hs2", "hs3", "hs4"],
    description: "four homeservers that federate",
  },
  {
    name: "five",
    servers: ["hs1", "hs2", "hs3", "hs4", "hs5"],
    description: "five homeservers that federate",
  },
];
