import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateAccessKeyCommand, CreateUserCommand, PutUserPolicyCommand, type IAMClient } from "@aws-sdk/client-iam";
import { freePort } from "../../embedded/processes.ts";
import { awsClients, type AwsEndpoint, type AwsKeys } from "./aws/clients.ts";
import { everything } from "./aws/policy.ts";

/** A server of moto that verifies signatures and policies; where it differs from AWS, `aws-differences.test.ts` says. */
export interface Moto extends AwsEndpoint {
  /** May do everything. */
  readonly admin: AwsKeys;
  /** A user with these documents of IAM, or with all rights, and a key of theirs. */
  addUser(name: string, policies?: readonly unknown[]): Promise<AwsKeys>;
  stop(): Promise<void>;
}

const setup = join(import.meta.dirname, "..", "..", "scripts", "setup.mjs");

function locate(): string | undefined {
  const where = [setup, "--only=moto", "--where=found"];
  try {
    const out = execFileSync(process.execPath, where, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return join(out.trim(), "bin", "python");
  } catch {
    return undefined;
  }
}

const python = locate();

export const hasMoto = python !== undefined;
export const noMoto = "There is no moto here. 'npm run setup -- --servers' gets it";

export async function startMoto(): Promise<Moto> {
  if (python === undefined) throw new Error(noMoto);
  const folder = await mkdtemp(join(tmpdir(), "rk-moto-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = openSync(join(folder, "log"), "a");
  const args = ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)];
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
    await isReady(url, () => readFileSync(join(folder, "log"), "utf8"));
    const nobody = awsClients({ url }, { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "none is verified yet" });
    const admin = await newUser(nobody.iam, "moto-admin", [everything]);
    nobody.close();
    // http://docs.getmoto.org/en/latest/docs/iam.html: until then nothing is verified.
    const answer = await fetch(`${url}/moto-api/reset-auth`, { method: "POST", body: "0" });
    if (!answer.ok) throw new Error(`moto does not verify signatures: it answered ${answer.status}.`);
    const { iam, close } = awsClients({ url }, admin, { region: "us-east-1" });
    return {
      url,
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

async function isReady(url: string, log: () => string): Promise<void> {
  const end = performance.now() + 120_000;
  for (;;) {
    const status = await fetch(`${url}/moto-api/data.json`).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    if (performance.now() > end) throw new Error(`moto does not answer:\n${log().slice(-3000)}`);
    await sleep(50);
  }
}
