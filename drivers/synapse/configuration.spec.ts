import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { writeConfiguration } from "./configuration.ts";
import { delegationOf } from "./versions.ts";

const AUTH = {
  endpoint: "http://127.0.0.1:1/",
  publicBase: "http://127.0.0.1:2/",
  secret: "shared",
};

function configurationOf(
  version: string,
  settings: readonly string[] = [],
): Record<string, Record<string, unknown>> {
  const folder = mkdtempSync(path.join(tmpdir(), "configuration-spec-"));
  try {
    const file = writeConfiguration({
      folder,
      serverName: "hs1:8448",
      host: "127.0.0.1",
      port: 3,
      sharedSecret: "registers",
      features: [],
      settings,
      network: undefined,
      auth: AUTH,
      delegation: delegationOf(version),
      database: {},
    });
    return JSON.parse(readFileSync(file, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("from 1.136 on an auth service has a section of its own", () => {
  const configuration = configurationOf("1.136.0");

  expect(configuration.matrix_authentication_service).toEqual({
    enabled: true,
    endpoint: AUTH.endpoint,
    secret: AUTH.secret,
  });
  expect(configuration.experimental_features).not.toHaveProperty("msc3861");
});

test("before that Synapse is a client of it, over the same link, and takes its calls by an admin's token", () => {
  const configuration = configurationOf("1.135.2");

  expect(configuration).not.toHaveProperty("matrix_authentication_service");
  expect(configuration.experimental_features).toMatchObject({
    msc3861: {
      enabled: true,
      issuer: AUTH.endpoint,
      introspection_endpoint: "http://127.0.0.1:1/oauth2/introspect",
      client_auth_method: "client_secret_basic",
      client_secret: AUTH.secret,
      admin_token: AUTH.secret,
    },
  });
});

test.each(["1.135.2", "1.163.2"])("Synapse %s then has no accounts of its own", (version) => {
  const configuration = configurationOf(version);

  expect(configuration.password_config).toEqual({ enabled: false });
  expect(configuration).not.toHaveProperty("enable_registration");
  expect(configuration).not.toHaveProperty("registration_shared_secret");
});

test("settings that an option names come on top", () => {
  const configuration = configurationOf("1.136.0", ["frozen-dicts"]);

  expect(configuration.use_frozen_dicts).toBe(true);
  expect(configuration.experimental_features).toMatchObject({ msc4143_enabled: true });
});
