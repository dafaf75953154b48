import type { AppserviceRegistration } from "#harness/deployment/contract";

/** A registration file's content, with the run's application service at this host. */
export function registrationOf(appservice: AppserviceRegistration, host: string): unknown {
  const { id, port, asToken, hsToken, senderLocalpart, prefix } = appservice;
  return {
    id,
    url: `http://${host}:${port}`,
    as_token: asToken,
    hs_token: hsToken,
    sender_localpart: senderLocalpart,
    rate_limited: false,
    namespaces: {
      users: [{ exclusive: true, regex: `@${prefix}.*` }],
      aliases: [{ exclusive: true, regex: `#${prefix}.*` }],
      rooms: [],
    },
  };
}
