/** What the process of the service is told, as a JSON file in its work folder: secrets stay out of its command line. */
export interface ServiceSettings {
  /** Issuer, ends in a slash. */
  readonly publicBase: string;
  readonly serverName: string;
  /** Base URL of the homeserver, ends in a slash. */
  readonly homeserver: string;
  /** Shared with the homeserver: each shows it to the other. */
  readonly secret: string;
  readonly host: string;
  readonly port: number;
  /** The admin side's listener. Its host is another one: a port that is free there need not be free here. */
  readonly control: { readonly host: string; readonly port: number; readonly secret: string };
  readonly databaseFile: string;
}
