/**
 * What a driver is and what it gives: the contract between those who start servers and those who use them.
 *
 * A driver has to offer `start`, and what it started has to offer `stop`. Everything else is an opt-in capability that
 * checks and chaos ask for.
 */
import type { ServerSpec } from "#harness/config/driver-spec";
import type { HostMount } from "#harness/config/values";

/** Names of what a deployment may be asked to switch on; a driver ignores none in silence, see `ConfiguresFeatures`. */
export type Feature = (typeof FEATURES)[number];

/**
 * `rate-limits`: few messages are too many. `guarded-rendezvous`: only users begin sessions of MSC4388. `no-delayed-events`:
 * nobody may schedule any (MSC4140). `two-rtc-transports`: it tells two transports for calls, with the services
 * https://first.rtc.invalid and https://second.rtc.invalid, in this order and whatever else the deployment has (MSC4143).
 * `clock-ahead` and `clock-behind`: clocks of all servers but the first are wrong by half a minute.
 */
const FEATURES = [
  "rate-limits",
  "guarded-rendezvous",
  "no-delayed-events",
  "two-rtc-transports",
  "clock-ahead",
  "clock-behind",
] as const;

export function isFeature(word: string): word is Feature {
  return FEATURES.some((feature) => feature === word);
}

/** Names of what a running server can be started again with, see `RestartsWith`. */
export type Setting = (typeof SETTINGS)[number];

/**
 * `unreachable-login-provider`: users may also log in by an OpenID Connect provider, at whose address nothing answers.
 * `qr-sign-in`: signing in by QR code is on (MSC4108). `auth-service-below-path`: its auth service is at the path
 * /crucible/ of the address that it is at, and whoever asks for this carries requests on to where it is. `no-presence`:
 * presence is off.
 */
const SETTINGS = [
  "unreachable-login-provider",
  "qr-sign-in",
  "auth-service-below-path",
  "no-presence",
] as const;

/** Everything a driver needs to start one homeserver. */
export interface StartContext {
  /** Run that owns it; goes into labels, names and the environment of whatever is started. */
  readonly runId: string;
  /** `hs1`, `hs2`, …: also the host part of the server name. */
  readonly role: string;
  /** Unique within the run: the deployment and the role, for names of containers and networks. */
  readonly name: string;
  readonly spec: ServerSpec;
  readonly features: readonly Feature[];
  /** Private folder for data, removed with the run. Exists. */
  readonly workFolder: string;
  /** The server's log; the driver appends standard output and error to it. */
  readonly logFile: string;
  readonly network: NetworkPlan;
  /** It leaves accounts and tokens to this auth service; absent: it has them itself. */
  readonly auth?: AuthAccess;
  /** What it announces for calls (MSC4143), and whom it hands requests about them (MSC4512); absent: nothing. */
  readonly rtc?: RtcAccess;
  readonly containers: ContainerSettings;
  /** Upper bound for start-up, milliseconds. */
  readonly startTimeoutMs: number;
  readonly signal: AbortSignal;
  /** One line about what is being waited for. */
  readonly progress: (line: string) => void;
  /** Notes a child process in the run's registry, so that a killed run can be swept. */
  readonly registerProcess: (pid: number) => void;
  /** To be called when the server ends without having been asked to. */
  readonly onUnexpectedExit: (how: string) => void;
}

/** With the shared secret as a bearer token, or as an OAuth client that has it (`experimental_features.msc3861` of Synapse). */
export type Asking = "bearer" | "client";

/** An auth service as its homeserver reaches it. */
export interface AuthAccess {
  /** Base URL through the gateway, ends in a slash. The service may not answer yet. */
  readonly endpoint: string;
  /** Its issuer, ends in a slash. */
  readonly publicBase: string;
  /** Shared between the two: what each shows the other as its bearer token. */
  readonly secret: string;
}

/** An RTC authorization service as its homeserver reaches it, and as it tells clients of it. */
export interface RtcAccess {
  /** Base URL through the gateway, ends in a slash. The service may not answer yet. */
  readonly endpoint: string;
  /** Base URL for clients, ends in a slash. */
  readonly publicBase: string;
  /** Where clients reach the SFU. */
  readonly websocketUrl: string;
  /** What the two show each other; absent: the service is handed nothing, since it does not know MSC4512 or runs elsewhere. */
  readonly registration?: { readonly asToken: string; readonly hsToken: string };
}

/** What the user asked for all containers. */
export interface ContainerSettings {
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly HostMount[];
  /** 0: no limit. */
  readonly cpuCores: number;
  /** 0: no limit. */
  readonly memoryBytes: number;
  /** This machine's name as containers see it. */
  readonly hostname: string;
}

export const NO_CONTAINER_SETTINGS: ContainerSettings = {
  env: {},
  mounts: [],
  cpuCores: 0,
  memoryBytes: 0,
  hostname: "host.docker.internal",
};

/** The gateway as one homeserver sees it. */
export interface NetworkPlan {
  /** The run's certificate authority, PEM. */
  readonly ca: { readonly certificate: string; readonly privateKey: string; readonly file: string };
  /** Port of this server's own forward proxy on the gateway: everything it sends to other servers goes there. */
  readonly proxyPort: number;
  /** Roles of the other servers. */
  readonly peers: readonly string[];
  /**
   * Makes the gateway listen on this address too, for containers that reach the host by their bridge: the proxy, the
   * application service, and port 8448 for servers that ignore proxies. The address must be of a network that only this
   * server is on.
   */
  readonly listenOn: (address: string) => Promise<void>;
  readonly appservice: AppserviceRegistration;
}

/** The run's application service; its listener is a link of the gateway. */
export interface AppserviceRegistration {
  readonly id: string;
  readonly port: number;
  readonly asToken: string;
  readonly hsToken: string;
  readonly senderLocalpart: string;
  /** Localparts and alias localparts that start with this prefix are its own, exclusively. */
  readonly prefix: string;
}

/** A started homeserver. Dispose stops it and removes what it used. */
export interface RunningServer extends AsyncDisposable {
  readonly role: string;
  /** As in user ids, port included. */
  readonly serverName: string;
  /** When it runs in one. */
  readonly containerId?: string;
  /** Where the gateway reaches it now. Read anew for each connection: ports of containers move at restarts. */
  readonly client: () => Address;
  readonly federation: () => Address;
  readonly capabilities: ServerCapabilities;
  /** Settings that differ from the implementation's defaults, one line each, for the run header. */
  readonly settings: readonly string[];
}

export interface Address {
  readonly host: string;
  readonly port: number;
  /** Present when the listener speaks TLS: the name to ask for. */
  readonly tlsName?: string;
  /** Who vouches for that name: the run's authority, or the machine's. The run's unless given. */
  readonly trust?: "run" | "machine";
}

/** Opt-in abilities; an absent one makes checks that need it `skip: unsupported`. */
export interface ServerCapabilities {
  readonly killable?: Killable;
  readonly pausable?: Pausable;
  readonly restartable?: Restartable;
  readonly stoppable?: Stoppable;
  readonly hasDatabase?: HasDatabase;
  readonly fillsDisk?: FillsDisk;
  readonly leavesNetwork?: LeavesNetwork;
  readonly hasLogs?: HasLogs;
  readonly registersUsers?: RegistersUsers;
  readonly configuresFeatures?: ConfiguresFeatures;
  readonly snapshotsData?: SnapshotsData;
  readonly usesCpu?: UsesCpu;
  readonly suspendsUsers?: SuspendsUsers;
  readonly makesAccounts?: MakesAccounts;
  readonly locksUsers?: LocksUsers;
  readonly makesRoomAdmins?: MakesRoomAdmins;
  readonly purgesHistory?: PurgesHistory;
  readonly restartsWith?: RestartsWith;
}

export interface Killable {
  /** Ends the server at once (SIGKILL), data as the crash left it. Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface Pausable {
  /** Freezes the server (SIGSTOP): sockets stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export interface Restartable {
  /** Starts it on the same data, after an orderly stop when it still runs. Resolves when it answers again. */
  restart(): Promise<void>;
}

export interface Stoppable {
  /** Ends it in good order (SIGTERM). It stays down until `start` or a restart. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Starts it on the same data, unless it runs. Resolves when it answers again. */
  start(): Promise<void>;
}

export interface RestartsWith {
  /** Those that the server has. */
  readonly settings: readonly Setting[];
  /**
   * Starts it on the same data with a setting more, after an orderly stop. Undefined when it answers again; otherwise how it
   * ended instead, and nothing runs then.
   *
   * @throws HarnessError HS_DID_NOT_START when it neither answers nor ends
   */
  restartWith(setting: Setting): Promise<string | undefined>;
}

export interface HasDatabase {
  /** Ends its database server's connections and process, and starts it on the same data; the homeserver runs on. */
  restartDatabase(): Promise<void>;
}

export interface FillsDisk {
  /** Leaves no room where it keeps its data: what it writes from now on fails. */
  fill(): Promise<void>;
  /** Takes back what `fill` put there. */
  free(): Promise<void>;
}

export interface LeavesNetwork {
  /** Cuts it off from all other servers below HTTP; its clients still reach it. */
  disconnect(): Promise<void>;
  reconnect(): Promise<void>;
}

export interface HasLogs {
  /** Last lines, oldest first, at most `count`. */
  tail(count: number): Promise<readonly string[]>;
}

export interface RegistersUsers {
  /** Creates an account and a device of it, without touching what is under test. */
  register(localpart: string, password: string, options?: { admin?: boolean }): Promise<Registered>;
}

export interface Registered {
  readonly userId: string;
  readonly accessToken: string;
  readonly deviceId: string;
}

export interface ConfiguresFeatures {
  readonly features: readonly Feature[];
}

export interface SnapshotsData {
  /** Keeps a copy of the data, by a name of the caller's; the server must be stopped. Removed with the server. */
  snapshot(name: string): Promise<void>;
  /** Replaces the data by the copy of this name; the server must be stopped. */
  restore(name: string): Promise<void>;
}

export interface SuspendsUsers {
  /** @param adminToken of a server administrator, behind an auth service with the scope that makes one */
  suspend(userId: string, isSuspended: boolean, adminToken: string): Promise<void>;
}

export interface MakesAccounts {
  /**
   * Asks its own admin side for an account, whoever else has its accounts; tells whether it made one.
   *
   * @param adminToken of a server administrator, behind an auth service with the scope that makes one
   */
  makeAccount(localpart: string, adminToken: string): Promise<boolean>;
}

export interface LocksUsers {
  /** @param adminToken of a server administrator */
  lock(userId: string, isLocked: boolean, adminToken: string): Promise<void>;
}

export interface MakesRoomAdmins {
  /** Gives a user as much power in a room as its most powerful local member can. */
  makeRoomAdmin(roomId: string, userId: string, adminToken: string): Promise<void>;
}

export interface PurgesHistory {
  /**
   * Forgets the events of a room that are older than this one; resolves when they are gone.
   *
   * @param adminToken of a server administrator
   */
  purge(roomId: string, eventId: string, adminToken: string): Promise<void>;
}

/** Of these capabilities, those that `Control.administer` calls by their names. */
export type Administration = "locksUsers" | "makesRoomAdmins" | "purgesHistory" | "suspendsUsers";

export interface UsesCpu {
  /** CPU time of the server so far, milliseconds. */
  cpuMs(): Promise<number>;
}

/** A driver: knows one implementation on one or more substrates. */
export interface Driver {
  /** Word in driver specs, for example `synapse`. */
  readonly name: string;
  /** What `--hs` accepts of it, for help and suggestions. */
  readonly usage: readonly string[];
  readonly accepts: (spec: ServerSpec) => boolean;
  /** Refuses what can be seen to be wrong before anything starts. @throws HarnessError BAD_USAGE */
  readonly check?: (spec: ServerSpec) => void;
  /**
   * How what this spec starts, when it leaves accounts and tokens to an auth service (`StartContext.auth`), asks that
   * about tokens; it is then named `<role>:8448`. It can not unless given, or when undefined.
   */
  readonly delegatesAuth?: (spec: ServerSpec) => Asking | undefined;
  /**
   * What must be there before anything starts (an environment, an image): may take minutes the first time, is cached
   * after. Throws HarnessError with the command that installs what is missing.
   */
  readonly prepare: (spec: ServerSpec, context: PrepareContext) => Promise<void>;
  /** @throws HarnessError HS_DID_NOT_START with the last log lines. */
  readonly start: (context: StartContext) => Promise<RunningServer>;
  /** Removes what dead runs left behind on this driver's substrate; tells what it removed, one line each. */
  readonly sweep?: (isDead: (runId: string) => boolean) => Promise<readonly string[]>;
}

export interface PrepareContext {
  /** Something that an earlier run built from source may serve again, however old: `--fast`. */
  readonly isReuseAllowed?: boolean;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Identity helper: checks the shape where the driver is written. */
export function defineDriver(driver: Driver): Driver {
  return driver;
}
