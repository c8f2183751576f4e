import type { Protocol } from "./fault.ts";
import type { SignedRequest } from "./signature.ts";

/** Which operation of which service a request asks for, before anything is verified. */
export interface Asked {
  readonly service: "iam" | "sts" | "secretsmanager";
  readonly protocol: Protocol;
  readonly action: string;
  /** What was sent, for the log of calls: never a secret's value. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const versions: Readonly<Record<string, "iam" | "sts">> = { "2010-05-08": "iam", "2011-06-15": "sts" };

/** The service is told by what is sent, as AWS tells it by the name of the host; the signature's scope has to agree. */
export function askedBy({ headers, body }: SignedRequest): Asked | undefined {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return askedInJson(target, headers["content-type"], body);
  if (!headers["content-type"]?.startsWith("application/x-www-form-urlencoded")) return undefined;
  const fields = Object.fromEntries(new URLSearchParams(body));
  const service = versions[fields["Version"] ?? ""];
  const action = fields["Action"];
  return service === undefined || action === undefined ? undefined : { service, protocol: "query", action, fields };
}

function askedInJson(target: string, type: string | undefined, body: string): Asked | undefined {
  const [service, action = ""] = target.split(".");
  if (service !== "secretsmanager" || type !== "application/x-amz-json-1.1") return undefined;
  const sent: unknown = JSON.parse(body);
  if (typeof sent !== "object" || sent === null) return undefined;
  const fields = Object.entries(sent).filter(([name]) => name !== "SecretString" && name !== "SecretBinary");
  return { service, protocol: "json", action, fields: Object.fromEntries(fields) };
}
