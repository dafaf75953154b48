/**
 * How long our servers keep a connection on which nothing comes, milliseconds: longer than any client that talks to them
 * does. A request must not meet a connection that is being closed, since its sender would be blamed for what came of it.
 * Twisted's pools keep them for 240 s, Synapse's for 120 s, those of Go and Rust for 90 s.
 */
export const IDLE_MS = 600_000;
