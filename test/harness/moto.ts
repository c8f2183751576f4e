import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateAccessKeyCommand, CreateUserCommand, PutUserPolicyCommand, type IAMClient } from "@aws-sdk/client-iam";
import { freePort } from "../../embedded/processes.ts";
import { makeCertificates } from "./aws/authority.ts";
import { awsClients, type AwsEndpoint, type AwsKeys } from "./aws/clients.ts";
import { foundServer } from "./found-server.ts";
import { everything } from "./aws/policy.ts";

/** A server of moto that verifies signatures and policies; where it differs from AWS, `aws-differences.test.ts` says. */
export interface Moto extends AwsEndpoint {
  readonly ca: string;
  /** May do everything. */
  readonly admin: AwsKeys;
  /** A user with these documents of IAM, or with all rights, and a key of theirs. */
  addUser(name: string, policies?: readonly unknown[]): Promise<AwsKeys>;
  stop(): Promise<void>;
}

const python = foundServer("moto", "bin", "python");

export const hasMoto = python !== undefined;
export const noMoto = "There is no moto here. 'npm run setup -- --servers' gets it";

export async function startMoto(): Promise<Moto> {
  if (python === undefined) throw new Error(noMoto);
  const folder = await mkdtemp(join(tmpdir(), "rk-moto-"));
  const port = await freePort();
  const { ca, cert, key } = makeCertificates();
  const server = { url: `https://127.0.0.1:${port}`, ca };
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  const log = openSync(join(folder, "log"), "a");
  const args = ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port), "-c", certFile, "-k", keyFile];
  const child = spawn(python, args, { cwd: folder, stdio: ["ignore", log, log] });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await isReady(server, () => readFileSync(join(folder, "log"), "utf8"));
    const nobody = awsClients(server, { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "none is verified yet" });
    const admin = await newUser(nobody.iam, "moto-admin", [everything]);
    nobody.close();
    // http://docs.getmoto.org/en/latest/docs/iam.html: until then nothing is verified.
    const status = await ask(server, "POST", "/moto-api/reset-auth", "0");
    if (status !== 200) throw new Error(`moto does not verify signatures: it answered ${status}.`);
    const { iam, close } = awsClients(server, admin, { region: "us-east-1" });
    return {
      ...server,
      admin,
      addUser: (name, policies = [everything]) => newUser(iam, name, policies),
      async stop() {
        close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function newUser(iam: IAMClient, UserName: string, policies: readonly unknown[]): Promise<AwsKeys> {
  await iam.send(new CreateUserCommand({ UserName }));
  for (const [at, policy] of policies.entries()) {
    const PolicyDocument = JSON.stringify(policy);
    await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: `policy-${at}`, PolicyDocument }));
  }
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? "", secretAccessKey: AccessKey?.SecretAccessKey ?? "" };
}

async function isReady(server: Pick<Moto, "url" | "ca">, log: () => string): Promise<void> {
  const end = performance.now() + 120_000;
  while ((await ask(server, "GET", "/moto-api/data.json").catch(() => 0)) !== 200) {
    if (performance.now() > end) throw new Error(`moto does not answer:\n${log().slice(-3000)}`);
    await sleep(50);
  }
}

/** The status of the answer. */
function ask({ url, ca }: Pick<Moto, "url" | "ca">, method: string, path: string, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, ca, agent: false }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.on("error", reject).end(body);
  });
}
