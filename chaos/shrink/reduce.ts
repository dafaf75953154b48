/** Smaller plans out of a plan: what is taken away pulls along what speaks of it, so that each is a plan again. */
import { HARM_ENDS } from "#chaos/generate/kinds";
import {
  type Expectation,
  type Operation,
  operationsOf,
  type Plan,
  type Step,
} from "#scenarios/plan";

/** A copy in which each operation is what this makes of it; undefined: it is not there. */
function mapOperations(plan: Plan, change: (one: Operation) => Operation | undefined): Plan {
  const steps = plan.steps.flatMap((step): Step[] => {
    if ("op" in step) {
      const changed = change(step);
      return changed === undefined ? [] : [changed];
    }
    if (!("together" in step)) return [step];
    const together = step.together.flatMap((one) => change(one) ?? []);
    if (together.length > 1) return [{ together }];
    return together;
  });
  return settle({ ...plan, steps });
}

/** The story up to its convergence of this number, from 1 on. */
export function firstEpochs(plan: Plan, count: number): Plan {
  const end = plan.steps.flatMap((step, at) => ("converge" in step ? [at] : []))[count - 1];
  return end === undefined ? plan : settle({ ...plan, steps: plan.steps.slice(0, end + 1) });
}

/** How many convergences there are. */
export function epochsIn({ steps }: Plan): number {
  return steps.filter((step) => "converge" in step).length;
}

/** Epochs by number, from 1 on; each goes with its convergence. */
export function withoutEpochs(plan: Plan, epochs: ReadonlySet<number>): Plan {
  let epoch = 1;
  const steps = plan.steps.filter((step) => {
    const isKept = !epochs.has(epoch);
    if ("converge" in step) epoch += 1;
    return isKept;
  });
  return settle({ ...plan, steps });
}

/** Earlier epochs wait for no servers that were told nothing, which takes long when they never agree. */
export function withEarlierNudged(plan: Plan): Plan {
  const last = plan.steps.findLastIndex((step) => "converge" in step);
  const steps = plan.steps.map((step, at) =>
    "converge" in step && at < last ? { converge: "nudged" as const } : step,
  );
  return { ...plan, steps };
}

export function withoutOperations(plan: Plan, ids: ReadonlySet<string>): Plan {
  return mapOperations(plan, (one) => (ids.has(one.id) ? undefined : one));
}

/** Operations in the order of the plan, one after the other. */
export function inSequence(plan: Plan, at: number): Plan {
  const steps = plan.steps.flatMap((step, index) =>
    index === at && "together" in step ? step.together : [step],
  );
  return { ...plan, steps };
}

/** True clocks, and clients that ask once. */
export function withoutTwist(plan: Plan, id: string): Plan {
  return mapOperations(plan, (one) => {
    if (one.id !== id) return one;
    const { ahead: _, client: __, ...plain } = one;
    return plain as Operation;
  });
}

/** Faults by their names; those of processes by the place of their step. */
export function withoutFaults(plan: Plan, faults: ReadonlySet<string | number>): Plan {
  const dropped = new Set<number>();
  for (const [at, step] of plan.steps.entries()) {
    if ("fault" in step && faults.has(step.id)) dropped.add(at);
    if (!("server" in step) || !faults.has(at)) continue;
    dropped.add(at);
    const end = HARM_ENDS.get(step.action);
    if (end === undefined) continue;
    const after = plan.steps.findIndex(
      (one, index) =>
        index > at && "server" in one && one.server === step.server && one.action === end,
    );
    if (after >= 0) dropped.add(after);
  }
  return settle({ ...plan, steps: plan.steps.filter((_, at) => !dropped.has(at)) });
}

/** Names and places of all faults that can be taken away. */
export function faultsOf({ steps }: Plan): readonly (string | number)[] {
  const ends = new Set(HARM_ENDS.values());
  return steps.flatMap((step, at): (string | number)[] => {
    if ("fault" in step) return [step.id];
    return "server" in step && !ends.has(step.action) ? [at] : [];
  });
}

/** Undefined where a room hangs on the user: its creator stays as long as it does. */
export function withoutUser(plan: Plan, user: string): Plan | undefined {
  const rooms = new Set(operationsOf(plan).map((one) => ("room" in one ? one.room : "")));
  const created = Object.entries(plan.rooms).filter(([, { creator }]) => creator === user);
  if (created.some(([name]) => rooms.has(name))) return undefined;
  let reduced: Plan | undefined = plan;
  for (const [name] of created) reduced = reduced && withoutRoom(reduced, name);
  if (reduced === undefined || Object.keys(reduced.users).length < 2) return undefined;
  const { [user]: _, ...users } = reduced.users;
  const left = Object.entries(reduced.rooms).map(([name, room]) => {
    const { [user]: __, ...levels } = room.levels ?? {};
    const members = room.members?.filter((member) => member !== user);
    return [
      name,
      { ...room, ...(room.levels && { levels }), ...(members && { members }) },
    ] as const;
  });
  return mapOperations({ ...reduced, users, rooms: Object.fromEntries(left) }, (one) => {
    if (one.by === user) return undefined;
    if ("target" in one && one.op !== "redact" && one.op !== "receipt" && one.target === user)
      return undefined;
    if (one.op !== "levels" || one.users?.[user] === undefined) return one;
    const { [user]: ___, ...others } = one.users;
    return { ...one, users: others };
  });
}

/** Nobody who does nothing and to whom nothing is done, but those who made rooms. */
export function withoutIdleUsers(plan: Plan): Plan | undefined {
  const busy = new Set<string | undefined>(Object.values(plan.rooms).map(({ creator }) => creator));
  for (const one of operationsOf(plan)) {
    busy.add(one.by);
    if ("target" in one) busy.add(one.target);
  }
  let reduced: Plan | undefined = plan;
  for (const user of Object.keys(plan.users))
    if (!busy.has(user)) reduced = reduced && withoutUser(reduced, user);
  return reduced;
}

/** Undefined for the last room. */
export function withoutRoom(plan: Plan, room: string): Plan | undefined {
  const { [room]: _, ...others } = plan.rooms;
  const rooms = Object.entries(others).map(([name, { allow, ...one }]) => {
    if (allow === undefined) return [name, one] as const;
    return [
      name,
      allow === room ? { ...one, rule: "public" as const } : { ...one, allow },
    ] as const;
  });
  if (rooms.length === 0) return undefined;
  const expect = plan.expect?.filter((one) => one.room !== room);
  const reduced = { ...plan, rooms: Object.fromEntries(rooms), ...(expect && { expect }) };
  return mapOperations(reduced, (one) => {
    if ("room" in one && one.room === room) return undefined;
    if (one.op === "upgrade" && one.into === room) return undefined;
    if (one.op === "join-rules" && one.allow === room) return { ...one, rule: "public" };
    return one;
  });
}

/** What happens in one room happens in another one. */
export function mergeRooms(plan: Plan, from: string, into: string): Plan | undefined {
  const [gone, kept] = [plan.rooms[from], plan.rooms[into]];
  if (gone === undefined || kept === undefined || kept.isLater) return undefined;
  const members = new Set([gone.creator, ...(gone.members ?? []), ...(kept.members ?? [])]);
  members.delete(kept.creator);
  const merged = {
    ...kept,
    members: [...members],
    levels: { ...gone.levels, ...kept.levels },
  };
  const moved = mapOperations({ ...plan, rooms: { ...plan.rooms, [into]: merged } }, (one) =>
    "room" in one && one.room === from && one.op !== "upgrade" ? { ...one, room: into } : one,
  );
  return withoutRoom(moved, from);
}

/** Users of the server go with it; the others are numbered anew. Undefined where a room hangs on one of them. */
export function withoutServer(plan: Plan, server: string): Plan | undefined {
  if (plan.servers < 2) return undefined;
  let reduced: Plan | undefined = plan;
  for (const [user, home] of Object.entries(plan.users)) {
    if (home === server) reduced = reduced && withoutUser(reduced, user);
  }
  if (reduced === undefined) return undefined;
  const gone = Number(server.slice(2));
  const renamed = (role: string) => {
    const at = Number(role.slice(2));
    return at > gone ? `${role.slice(0, 2)}${at - 1}` : role;
  };
  const isThere = (role: string) => Number(role.slice(2)) !== gone;
  const steps = reduced.steps.flatMap((step): Step[] => {
    if ("fault" in step) {
      const links = step.links
        .map((link) => link.split(">"))
        .filter((ends) => ends.every(isThere))
        .map((ends) => ends.map(renamed).join(">"));
      return links.length === 0 ? [] : [{ ...step, links }];
    }
    if ("server" in step)
      return isThere(step.server) ? [{ ...step, server: renamed(step.server) }] : [];
    if ("await" in step && step.servers !== undefined) {
      const servers = step.servers.filter(isThere).map(renamed);
      return servers.length === 0 ? [] : [{ ...step, servers }];
    }
    return [step];
  });
  const users = Object.fromEntries(
    Object.entries(reduced.users).map(([user, home]) => [user, renamed(home)]),
  );
  return mapOperations({ ...reduced, users, steps, servers: reduced.servers - 1 }, (one) =>
    one.op === "acl" ? { ...one, deny: one.deny.filter(isThere).map(renamed) } : one,
  );
}

/**
 * Of each user the device of this number is not there, nor is what it did; the others are numbered anew. What names no device is
 * the first one's, whichever that is. Undefined for the last.
 */
export function withoutDevice(plan: Plan, number: number): Plan | undefined {
  const { devices = 1 } = plan;
  if (devices < 2) return undefined;
  return mapOperations({ ...plan, devices: devices - 1 }, (one) => {
    if (!("device" in one) || one.device === undefined || one.device < number) return one;
    return one.device === number ? undefined : { ...one, device: one.device - 1 };
  });
}

/** Takes away what speaks of operations and faults that are not there, and heals and ends of nothing. */
function settle(plan: Plan): Plan {
  const known = new Set<string>();
  const inForce = new Set<string>();
  const harmed = new Map<string, string>();
  const ends = new Set(HARM_ENDS.values());
  const note = (one: Operation): Operation[] => {
    const isEvent = one.op === "redact" || one.op === "receipt";
    if (isEvent && one.target !== undefined && !known.has(one.target)) return [];
    known.add(one.id);
    return [one];
  };
  const steps: Step[] = [];
  for (const step of plan.steps) {
    if ("op" in step) steps.push(...note(step));
    else if ("together" in step) {
      const together = step.together.flatMap(note);
      steps.push(...(together.length > 1 ? [{ together }] : together));
    } else if ("fault" in step) {
      known.add(step.id);
      inForce.add(step.id);
      steps.push(step);
    } else if ("heal" in step) {
      const names = step.heal === "all" ? [...inForce] : step.heal.filter((id) => inForce.has(id));
      if (names.length > 0) steps.push(step.heal === "all" ? step : { heal: names });
      for (const id of names) inForce.delete(id);
    } else if ("await" in step) {
      const of = step.of?.filter((id) => known.has(id));
      if (of === undefined) steps.push(step);
      else if (of.length > 0) steps.push({ ...step, of });
    } else if ("server" in step) {
      const end = HARM_ENDS.get(step.action);
      const isEnd = ends.has(step.action);
      if (isEnd && harmed.get(step.server) !== step.action) continue;
      if (isEnd) harmed.delete(step.server);
      else if (end !== undefined) harmed.set(step.server, end);
      steps.push(step);
    } else {
      // A second convergence after nothing has nothing to look at.
      const last = steps.at(-1);
      if (last !== undefined && "converge" in last) continue;
      inForce.clear();
      harmed.clear();
      steps.push(step);
    }
  }
  const expect = plan.expect?.flatMap((one): Expectation[] => {
    const state = Object.entries(one.state).filter(
      ([, id]) => id === null || id === "first" || known.has(id),
    );
    return state.length === 0 ? [] : [{ ...one, state: Object.fromEntries(state) }];
  });
  return { ...plan, steps, ...(expect && { expect }) };
}
