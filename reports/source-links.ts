/** Where the sources of requirements can be read. */

export interface SourceLink {
  readonly name: string;
  readonly url: string;
}

const PROPOSALS = "https://github.com/matrix-org/matrix-spec-proposals/pull/";
const SPEC = "https://spec.matrix.org";

/** By what a source calls them. */
const APIS: readonly (readonly [RegExp, string, string])[] = [
  [/\bclient-server|\bCS-API/, "client-server API", "client-server-api/"],
  [/\bserver-server|\bSS-API/, "server-server API", "server-server-api/"],
  [/\bapplication-service-api/, "application service API", "application-service-api/"],
];

/** Proposals, documents of the specification, and RFCs that a source names; each once. */
export function sourceLinks(source: string): readonly SourceLink[] {
  const version = /\bv1\.\d{1,3}\b/.exec(source)?.[0] ?? "latest";
  const found = [
    ...[...source.matchAll(/\bMSC(\d{1,5})\b/g)].map(([name, number]) => ({
      name,
      url: `${PROPOSALS}${number}`,
    })),
    ...APIS.filter(([pattern]) => pattern.test(source)).map(([, name, path]) => ({
      name,
      url: `${SPEC}/${version}/${path}`,
    })),
    ...[...source.matchAll(/\brooms\/v(\d{1,2})\b/g)].map(([, number]) => ({
      name: `room version ${number}`,
      url: `${SPEC}/latest/rooms/v${number}/`,
    })),
    ...[...source.matchAll(/\bRFC (\d{3,5})\b/g)].map(([name, number]) => ({
      name,
      url: `https://www.rfc-editor.org/rfc/rfc${number}`,
    })),
  ];
  return [...new Map(found.map((link) => [link.url, link])).values()];
}
