export interface ServerSpec {
  readonly role?: string;
  readonly substrate: "process" | "docker" | "url";
  readonly driver?: string;
  readonly version?: string;
  readonly binary?: string;
  readonly image?: string;
  readonly url?: string;
  readonly options: ReadonlyMap<string, string>;
  readonly text: string;
}
