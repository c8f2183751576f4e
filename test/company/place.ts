import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import type { ApplicationPlace } from "./applications.ts";
import { files, ofKind } from "./company.ts";
import type { CompanyServer } from "./servers.ts";

/** Where the company's folders and servers are on this machine: all below one folder. */
export interface CompanyPlace {
  /** The manifests as this machine has to read them. */
  readonly manifests: string;
  /** What takes the place of `/srv`. */
  readonly root: string;
  readonly applications: readonly ApplicationPlace[];
  /** The file of REKEY_EXEC_CONSUMERS_FILE. */
  readonly programs: string;
}

const program = fileURLToPath(new URL("../../examples/exec-consumer/program.mjs", import.meta.url));
const targets = "targets";

/** Puts today's login where each consumer reads it, and the manifests with this machine's addresses beside. */
export async function openPlace(folder: string, servers: readonly CompanyServer[]): Promise<CompanyPlace> {
  const root = join(folder, "srv");
  const secrets = join(folder, "secrets");
  const manifests = join(folder, "manifests");
  for (const one of [root, secrets, manifests, join(root, targets)]) await mkdir(one, { recursive: true, mode: 0o700 });
  for (const { metadata, spec } of ofKind("Connection")) {
    const { team, environment } = metadata;
    const admin = serverOf(servers, environment).admins.get(String(spec.config["user"])) ?? "";
    await writeFile(join(secrets, `${team}-${environment}-password`), admin, { mode: 0o600 });
  }
  for (const { name, text } of files) await writeFile(join(manifests, name), movedHere(text, root, secrets, servers));
  const programs = join(folder, "programs.json");
  await writeFile(
    programs,
    JSON.stringify({ "flag-store": { argv: [process.execPath, program, join(root, targets)], timeoutMs: 10_000 } }),
    { mode: 0o600 },
  );
  const applications = applicationsOf(root, servers);
  for (const { file, text } of applications) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, text, { mode: 0o600 });
  }
  return { manifests, root, programs, applications: applications.filter(({ isSeen }) => isSeen) };
}

const serverOf = (servers: readonly CompanyServer[], environment = ""): CompanyServer => {
  const found = servers.find((one) => one.environment === environment);
  if (found === undefined) throw new Error(`There is no server of ${environment}.`);
  return found;
};

function movedHere(text: string, root: string, secrets: string, servers: readonly CompanyServer[]): string {
  return text
    .replaceAll(/host: ([a-z.]+), port: 5432/g, (_, host: string) => {
      const { port } = serverOf(servers, host.includes(".staging.") ? "staging" : "production");
      return `host: 127.0.0.1, port: ${port}`;
    })
    .replaceAll("/srv/", `${root}/`)
    .replaceAll("/etc/rekey/", `${secrets}/`)
    .replaceAll(/10\.\d+\.0\.0\/16/g, "127.0.0.0/8");
}

/** What lies in the place of each consumer before rekey comes; `isSeen`: a program holds a session with it. */
function applicationsOf(root: string, servers: readonly CompanyServer[]) {
  return ofKind("Consumer").map(({ metadata: { name, team, environment }, spec }) => {
    const server = serverOf(servers, environment);
    const login = server.today.get(`${team}/${spec.credential}`);
    if (login === undefined) throw new Error(`Nobody has a login for ${team}/${name}.`);
    const { user, password, database } = login;
    const sessions = (spec.evidence as { readonly sessions?: { readonly applicationName: string } } | undefined)
      ?.sessions;
    const shared = {
      port: server.port,
      database,
      name: sessions?.applicationName ?? "",
      isSeen: sessions !== undefined,
    };
    if (spec.kind === "exec")
      return {
        ...shared,
        file: join(root, targets, `${String(spec.config["target"])}.json`),
        text: JSON.stringify({ username: user, password }),
        read: (text: string) => {
          const found = JSON.parse(text) as { readonly username: string; readonly password: string };
          return { user: found.username, password: found.password };
        },
      };
    return {
      ...shared,
      file: String(spec.config["path"]).replace("/srv/", `${root}/`),
      text: `DATABASE_USER=${user}\nDATABASE_PASSWORD=${password}\n`,
      read: (text: string) => {
        const found = parseEnv(text);
        return { user: found["DATABASE_USER"] ?? "", password: found["DATABASE_PASSWORD"] ?? "" };
      },
    };
  });
}
