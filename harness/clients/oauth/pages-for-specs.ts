/** A service with pages of the shape that matrix-authentication-service has, for specs. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const CSRF = "a-value";

export interface SamplePages extends AsyncDisposable {
  readonly base: string;
  /** Method, path and body of what came. */
  readonly requests: string[];
}

export async function samplePages(callback: string): Promise<SamplePages> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    requests.push(`${request.method} ${request.url} ${body}`.trim());
    answer(request, new URLSearchParams(body), response, callback);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(
  request: IncomingMessage,
  body: URLSearchParams,
  response: ServerResponse,
  callback: string,
): void {
  const to = (location: string, cookies: string[] = []) =>
    response.writeHead(303, { location, "set-cookie": cookies }).end();
  const page = (form: string, status = 200) =>
    response.writeHead(status, { "content-type": "text/html" }).end(`<!DOCTYPE html>
      <title>Sample</title><form method="post"><input type="hidden" name="csrf" value="${CSRF}">${form}</form>
      <a href="${callback.replace("#", "#error=access_denied&amp;")}">Cancel</a>`);
  const isPost = request.method === "POST";
  const isSignedIn = request.headers.cookie?.includes("session=alice") === true;
  if (isPost && body.get("csrf") !== CSRF) return void page("", 403);
  const [path = "", query = ""] = (request.url ?? "").split("?");
  if (path === "/loop") return void to("/loop");
  if (path === "/application")
    return void response.end(
      `<html><head><title>App</title><script src="main.js"></script></head>
      <body><div id="root">${query === "" ? "" : "Devices"}</div><script>1</script></body></html>`,
    );
  if (path === "/authorize") return void to(isSignedIn ? "/consent/1" : `/login?after=${query}`);
  if (path === "/login" && isPost) {
    const isRight = body.get("username") === "alice" && body.get("password") === "right";
    if (!isRight) return void page("wrong", 200);
    return void to("/consent/1", ["session=alice; HttpOnly; Path=/", "other=1; Path=/elsewhere"]);
  }
  if (path === "/login")
    return void page('<input name="username"><input type="password" name="password">');
  if (path === "/register" && isPost) return void to("/register/name");
  if (path === "/register")
    return void page(
      '<input name="username"><input type="password" name="password"><input type="password" name="password_confirm">',
    );
  if (path === "/register/name" && isPost) return void to(callback);
  if (path === "/register/name")
    return void page('<input type="hidden" name="action" value="set"><input name="display_name">');
  if (path === "/link" && isPost) return void to(`/device/${body.get("code")}`);
  if (path === "/link") return void page('<input name="code">');
  if (path === "/device/ABC" && !isPost)
    return void page(
      '<input type="checkbox" name="confirm_device"><button name="action" value="consent">Yes</button><button name="action" value="reject">No</button>',
    );
  if (path === "/consent/sent") {
    const form = `<form method="post" action="${callback}"><input type="hidden" name="code" value="c"></form>`;
    return void response.writeHead(200, { "content-type": "text/html" }).end(form);
  }
  if (path === "/consent/1" && !isSignedIn) return void page("", 403);
  if (path === "/consent/1" && isPost) return void to(callback);
  if (path === "/consent/1") return void page('<button name="" value="">Continue</button>');
  return void page("", 200);
}
