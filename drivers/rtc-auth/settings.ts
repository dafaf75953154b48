/** What the process of the service is told, as a JSON file: secrets stay out of its command line. */
export interface ServiceSettings {
  readonly host: string;
  readonly port: number;
  /** Name of the homeserver that it belongs to: users of others can neither make rooms nor publish. */
  readonly serverName: string;
  /** Base URL of that homeserver's client API, ends in a slash. */
  readonly homeserver: string;
  /** The same of its federation API. */
  readonly federation: string;
  /** The way to other homeservers; absent: straight, trusting whom the machine trusts. */
  readonly proxy?: { readonly url: string; readonly caFile: string };
  readonly sfu: {
    readonly websocketUrl: string;
    readonly apiKey: string;
    readonly apiSecret: string;
    /** Base URL of its HTTP API; absent: no rooms are made. */
    readonly endpoint?: string;
  };
  /** As the homeserver's application service; absent: only the OpenID form is served. */
  readonly registration?: { readonly asToken: string; readonly hsToken: string };
  /** Keeps delegated leaves; absent: they are lost with the process. */
  readonly storeFile?: string;
  /** Does wrong what the header of a request asks for, see `faults.ts`: never where people are. */
  readonly takesFaults?: boolean;
}
