import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client } from "../../api/client.ts";
import { trust } from "../../cli/trust.ts";
import { freePort } from "../../embedded/processes.ts";
import { releases, startIssuerServer, type IssuerServer } from "../harness/postgres-issuer.ts";
import { startTemporalServer, type TemporalServer } from "../harness/temporal-server.ts";
import { withTlsFiles } from "../harness/tls-files.ts";
import { installPackage } from "./installed-package.ts";
import { startLedgerServer, type LedgerServer } from "./ledger-server.ts";
import { runRekey, startRekey, type Environment, type RekeyProcess } from "./rekey-process.ts";

/** rekey as an operator runs it: the package, servers of their own behind TLS, secrets in files. */
export interface ExternalWorld {
  readonly folder: string;
  /** Where workers may write. */
  readonly targets: string;
  readonly ledger: LedgerServer;
  readonly temporal: TemporalServer;
  readonly issuer: IssuerServer;
  readonly serving: RekeyProcess;
  readonly api: Client;
  readonly environment: Environment;
  /** A command of the installed program, to its end. */
  run(args: readonly string[], options?: { readonly input?: string; readonly code?: string }): Promise<string>;
  startWorker(more?: Environment): Promise<RekeyProcess>;
  close(): Promise<void>;
}

export async function openExternalWorld(): Promise<ExternalWorld> {
  const folder = await mkdtemp(join(tmpdir(), "rk-ext-"));
  // The account that PostgreSQL runs as has to get to its own folder below.
  await chmod(folder, 0o711);
  const [targets, secrets, home] = [join(folder, "targets"), join(folder, "secrets"), join(folder, "home")];
  for (const each of [targets, secrets, home]) await mkdir(each, { mode: 0o700 });
  const tls = await withTlsFiles(secrets);
  const started = await Promise.allSettled([
    installPackage(folder),
    startLedgerServer(join(folder, "ledger"), tls),
    startTemporalServer(join(folder, "temporal"), "rekey"),
    startIssuerServer(releases[0] ?? { name: "PostgreSQL" }, { max_connections: "200" }),
  ]);
  const [program, ledger, temporal, issuer] = started.map((each) =>
    each.status === "fulfilled" ? each.value : undefined,
  ) as [string, LedgerServer, TemporalServer, IssuerServer];
  const processes: RekeyProcess[] = [];
  const close = async () => {
    for (const each of processes) await each.stop();
    for (const each of [ledger, temporal, issuer]) await each?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const each of started) if (each.status === "rejected") throw each.reason;
    const port = await freePort();
    const [ownerUrlFile, urlFile] = [join(secrets, "owner-url"), join(secrets, "url")];
    await writeFile(ownerUrlFile, `${ledger.ownerUrl}\n`, { mode: 0o600 });
    await writeFile(urlFile, `${ledger.url}\n`, { mode: 0o600 });
    const environment: Environment = {
      DATABASE_URL_FILE: urlFile,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      TEMPORAL_TLS_CA_FILE: temporal.tls.caFile,
      TEMPORAL_TLS_CERT_FILE: temporal.tls.certFile,
      TEMPORAL_TLS_KEY_FILE: temporal.tls.keyFile,
      REKEY_HOME: home,
      REKEY_CUSTODY_KEY_FILE: join(secrets, "custody.json"),
      REKEY_FINGERPRINT_KEY_FILE: join(secrets, "fingerprint.json"),
      REKEY_AUDIT_KEY_FILE: join(secrets, "audit.json"),
      REKEY_FILE_ROOTS: targets,
      REKEY_LISTEN: `127.0.0.1:${port}`,
      REKEY_TLS_CERT_FILE: tls.certFile,
      REKEY_TLS_KEY_FILE: tls.keyFile,
      REKEY_ADDRESS: `https://localhost:${port}`,
      REKEY_CA_FILE: tls.caFile,
    };
    const run: ExternalWorld["run"] = async (args, options) => runRekey(program, args, environment, options);
    await run(["keys", "create"]);
    const owner = { ...environment, DATABASE_URL_FILE: ownerUrlFile };
    await runRekey(program, ["migrate", "--grant-to", "rekey"], owner);
    await run(["migrate", "--check"]);
    const serving = startRekey(program, ["serve"], environment);
    processes.push(serving);
    await serving.line("The API answers at");
    trust(tls.caFile);
    const token = (await readFile(join(home, "token"), "utf8")).trim();
    return {
      ...{ folder, targets, ledger, temporal, issuer, serving, environment, run, close },
      api: createClient({ address: environment["REKEY_ADDRESS"] ?? "", token }),
      async startWorker(more = {}) {
        const worker = startRekey(program, ["worker"], { ...environment, ...more });
        processes.push(worker);
        await worker.line("The worker is ready");
        return worker;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
