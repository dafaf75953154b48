/**
 * The name of a deployment without versions: `synapse@1.163.2/one/sqlite` is `synapse/one/sqlite`. What stays when the
 * server is developed further.
 */
export function familyOf(deployment: string): string {
  const [head = "", ...rest] = deployment.split("/");
  // A version may have a plus of its own, behind which no server is named: 1.164.0rc1+g0123abc.
  const servers = head.split("+").filter((part) => part.includes("@"));
  const names = servers.map((part) => part.slice(0, part.indexOf("@")));
  return [names.length === 0 ? head : names.join("+"), ...rest].join("/");
}
