import { request } from "node:https";

/** Whose call it is, and where it goes. */
export interface VaultCaller {
  readonly address: string;
  /** PEM. */
  readonly ca: string;
  readonly token?: string;
}

export interface VaultReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One call by none of the product's code, on a connection of its own. */
export function callVault(
  { address, ca, token }: VaultCaller,
  method: string,
  path: string,
  json?: unknown,
  contentType = "application/json",
): Promise<VaultReply> {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const headers = {
    ...(token === undefined ? {} : { "x-vault-token": token }),
    ...(body === undefined ? {} : { "content-type": contentType, "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(new URL(`/v1/${path}`, address), { method, ca, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const parsed = text === "" ? {} : (JSON.parse(text) as VaultReply["body"]);
        resolve({ status: answer.statusCode ?? 0, body: parsed });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
