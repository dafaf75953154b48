import { expect, test } from "vitest";
import { applySetting, authWith, restartSettingsOf } from "./restart-settings.ts";

const AUTH = { endpoint: "http://127.0.0.1:1/", publicBase: "http://127.0.0.1:2/", secret: "s" };

test("settings are those of a server with accounts of its own, or of one beside an auth service", () => {
  expect(restartSettingsOf(undefined)).toEqual(["unreachable-login-provider", "no-presence"]);
  expect(restartSettingsOf(AUTH)).toEqual(["qr-sign-in", "auth-service-below-path", "no-presence"]);
});

test("a path is put behind the address of the auth service for one setting only", () => {
  expect(authWith("auth-service-below-path", AUTH)?.endpoint).toBe("http://127.0.0.1:1/crucible/");
  expect(authWith("qr-sign-in", AUTH)).toBe(AUTH);
  expect(authWith("auth-service-below-path", undefined)).toBeUndefined();
});

test("sign-in by QR code goes beside other experiments", () => {
  const configuration: Record<string, unknown> = { experimental_features: { other: true } };

  applySetting(configuration, "qr-sign-in");

  expect(configuration.experimental_features).toEqual({ other: true, msc4108_enabled: true });
});

test("a provider is one that has to be asked first", () => {
  const configuration: Record<string, unknown> = { server_name: "hs1:8448" };

  applySetting(configuration, "unreachable-login-provider");

  expect(configuration).toMatchObject({
    oidc_providers: [{ discover: true }],
    public_baseurl: "https://hs1:8448/",
  });
});

test("presence is switched off", () => {
  const configuration: Record<string, unknown> = { presence: { enabled: true } };

  applySetting(configuration, "no-presence");

  expect(configuration.presence).toEqual({ enabled: false });
});
