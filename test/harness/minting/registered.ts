import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import type { Policy } from "../../../domain/policy.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { proxyHttp, type HttpCall, type HttpProxy } from "../proxy/http.ts";
import { registerCredential, type RegisteredCredential } from "../register-credential.ts";
import { newMark, type World } from "../world.ts";
import { mintedKey } from "./issuer.ts";
import { startMintServer, type MintServer } from "./server.ts";

/** A credential whose values its issuer mints, with a file as its consumer. */
export interface MintedRegistered extends RegisteredCredential {
  readonly issuer: MintServer;
  /** The only way to the issuer that rekey knows. */
  readonly proxy: HttpProxy;
  /** The key of version 1, which a person made. */
  readonly firstKey: string;
  /** What the server says to the key in the consumer's file, asked as an application does. */
  logsIn(): string;
  /** The key in the consumer's file. */
  keyInUse(): string;
  /** Keys that the ledger holds as living at the issuer, sorted. */
  ledgerKeys(): Promise<readonly string[]>;
  close(): void;
}

export interface RegisterMintedOptions {
  readonly policy?: Partial<Policy>;
  /** How long the issuer's parts go on answering by what was before a change. One of `addMintedKinds`. Milliseconds. */
  readonly lagMs?: number;
  /** How many keys the issuer has room for. */
  readonly capacity?: number;
}

export const isMint = ({ method, path }: HttpCall): boolean => method === "POST" && path === "/keys";

/** With a server of its own. */
export async function registerMinted(
  at: Pick<World, "ledger" | "custody" | "folder">,
  { policy = {}, lagMs = 0, capacity = 2 }: RegisterMintedOptions = {},
): Promise<MintedRegistered> {
  const issuer = await startMintServer({ lagMs, capacity });
  const proxy = await proxyHttp(issuer.url);
  const { server } = issuer;
  const mark = newMark();
  const first = server.mint(undefined);
  // It has been in use for long.
  issuer.settle();
  const file = join(at.folder, "targets", `${mark}.env`);
  await writeFile(file, `KEY_ID=${first.name}\nSECRET_KEY=${first.secret}\n`, { mode: 0o600 });
  const stored = await registerCredential(at, {
    ...{ mark, policy, kind: mintedKey(lagMs).kind, order: "overlap", config: { slots: [] }, principals: [] },
    connection: {
      settings: { url: proxy.url },
      secret: { username: server.admin.name, password: new Secret(server.admin.secret) },
      principal: server.admin.name,
    },
    consumer: {
      ...{ name: "shop", kind: "file", target: `file:${file}`, evidence: { collectors: {} } },
      config: { path: file, format: "dotenv", keys: { KEY_ID: "keyId", SECRET_KEY: "secretKey" } },
    },
    today: { keyId: first.name, secretKey: new Secret(first.secret) },
  });
  // In one piece with asking the server: nothing of this process comes between.
  const read = () => {
    const text = readFileSync(file, "utf8");
    const [, id = ""] = /^KEY_ID=(.*)$/m.exec(text) ?? [];
    const [, secret = ""] = /^SECRET_KEY=(.*)$/m.exec(text) ?? [];
    return { id, secret };
  };
  return {
    ...stored,
    ...{ issuer, proxy },
    firstKey: first.name,
    keyInUse: () => read().id,
    logsIn() {
      const { id, secret } = read();
      return server.login(id, secret);
    },
    async ledgerKeys() {
      const { rows } = await sql<{ handle: string }>`
        SELECT handle FROM versions WHERE credential_id = ${stored.credentialId} AND state IN ('live', 'disabled')
        ORDER BY handle`.execute(at.ledger.db);
      return rows.map(({ handle }) => handle);
    },
    close() {
      proxy.close();
      issuer.close();
    },
  };
}
