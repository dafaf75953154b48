/** Ways in which a simulated federation can be wrong on purpose, to see that it is found out. */

export const BUGS = ["lose-pdus", "hide-ban", "old-state"] as const;
/**
 * - `lose-pdus`: 1 of 20 events that others send to the last server never gets there, in no answer either.
 * - `hide-ban`: bans never get to the last server.
 * - `old-state`: who asks for the state of a room is told what it was when the room began.
 */
export type Bug = (typeof BUGS)[number];
