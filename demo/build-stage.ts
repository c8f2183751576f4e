import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../embedded/processes.ts";
import { startChild } from "./child.ts";
import type { Closers } from "./closers.ts";
import { startLoad } from "./load.ts";
import { writeLogin } from "./login-file.ts";
import { credentialName, manifestsFor } from "./manifests.ts";
import { startOrdersCluster } from "./orders-cluster.ts";
import { findProgram } from "./rekey-program.ts";
import { operate } from "./rekey.ts";
import type { Stage } from "./scene.ts";
import type { Screen } from "./screen.ts";
import { openWitness } from "./witness.ts";

export interface BuiltStage extends Stage {
  /** For somebody who wants to go on by hand. */
  readonly home: string;
  readonly manifests: string;
  /** The folder of the program `rekey`. */
  readonly program: string;
}

/** Starts everything: the shop with its own PostgreSQL, rekey with a home of its own, and the first version adopted. */
export async function buildStage(screen: Screen, closers: Closers, signal: AbortSignal): Promise<BuiltStage> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), "rekey-demo-"));
  closers.add(() => rm(folder, { recursive: true, force: true }));
  signal.throwIfAborted();
  // Passable, not readable: PostgreSQL runs as another user when we are root.
  await chmod(folder, 0o711);
  const shopFolder = join(folder, "shop");
  await mkdir(shopFolder, { mode: 0o700 });
  const file = join(shopFolder, "service.env");
  const home = join(folder, "home");
  const port = await freePort();
  signal.throwIfAborted();
  const program = findProgram({ home, fileRoots: [shopFolder], port, logFile: join(folder, "up.log"), signal });

  const [shop, running] = await Promise.all([
    openShop({ folder, file }, screen, closers, signal),
    closers.begin(program.up(), (started) => started.stop()),
  ]);
  const { cluster } = shop;
  screen.line("demo", `rekey runs at ${running.address}, its home is ${home}`);
  signal.throwIfAborted();

  const adminPassword = join(folder, "admin-password");
  await writeFile(adminPassword, cluster.admin.password, { mode: 0o600 });
  const manifests = join(folder, "manifests.yaml");
  await writeFile(manifests, manifestsFor(cluster, { service: file, adminPassword }));
  const rekey = operate(program);
  await rekey.apply(manifests);
  screen.line("you", "rekey apply -f manifests.yaml", "a connection, a credential, and the one consumer that is known");
  await rekey.adopt(credentialName, cluster.today);
  screen.line(
    "you",
    `rekey credential adopt ${credentialName} --username ${cluster.today.user}`,
    "today's password is version 1; nothing was changed",
  );
  return {
    screen,
    rekey,
    upPid: running.pid,
    witness: shop.witness,
    load: shop.load,
    service: shop.address,
    file,
    credential: credentialName,
    closers,
    signal,
    home,
    manifests,
    program: program.folder,
  };
}

/** The shop: its database, its service under load, and a witness at the database's door. */
async function openShop(
  { folder, file }: { readonly folder: string; readonly file: string },
  screen: Screen,
  closers: Closers,
  signal: AbortSignal,
) {
  const cluster = await closers.begin(startOrdersCluster({ folder: join(folder, "orders") }), (started) =>
    started.stop(),
  );
  screen.line("demo", `the shop's own PostgreSQL runs on 127.0.0.1:${cluster.admin.port}, for SCRAM logins only`);
  signal.throwIfAborted();
  await writeLogin(file, cluster.today);
  signal.throwIfAborted();
  const service = startChild("order-service", ["--file", file], ({ event, user, code }) => {
    if (event === "reloaded") screen.line("service", `saw its file change: new work goes to ${String(user)}`);
    else if (event !== "listening") screen.line("service", `${event} (${String(code)})`);
  });
  closers.add(() => service.stop());
  const address = `http://127.0.0.1:${String((await service.until("listening"))["port"])}`;
  signal.throwIfAborted();
  const load = startLoad(address);
  closers.add(() => load.stop());
  screen.line("service", `takes orders at ${address} as ${cluster.today.user}, one every 20 ms`);
  const witness = await closers.begin(openWitness(cluster.keeper), (open) => open.close());
  return { cluster, address, load, witness };
}
