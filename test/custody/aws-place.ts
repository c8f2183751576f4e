import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { awsKind } from "../../custody/aws.ts";
import type { Custody, CustodyRef } from "../../custody/custody.ts";
import { TransientError } from "../../domain/errors.ts";
import { awsPage, contextFor, policyIn, settingsAt } from "../harness/aws-settings.ts";
import type { AwsKeys } from "../harness/aws/clients.ts";
import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle, type FakeAwsSettings } from "../harness/aws/settings.ts";

export const region = "eu-central-1";
let serial = 0;

export const freshRef = (): CustodyRef => ({
  instance: "ins_test",
  credential: `crd_${(serial += 1)}_${process.pid}`,
  version: 1,
  row: `ver_${serial}`,
  purpose: "version",
  pool: "default",
});

export const nameOf = ({ instance, credential, version, purpose }: CustodyRef): string =>
  `rekey/${instance}/${credential}/${version}/${purpose}`;

/** One process's custody, and how the file that holds its key is written anew. */
export async function openAws(server: { readonly url: string; readonly ca: string }, account: string, keys: AwsKeys) {
  const folder = await mkdtemp(join(tmpdir(), "rk-aws-custody-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const secretFile = join(folder, "key");
  const give = async (text: string) => {
    await writeFile(secretFile, text, { mode: 0o600 });
    await chmod(secretFile, 0o600);
  };
  await give(keys.secretAccessKey);
  const settings = awsKind.settingsSchema.parse({ ...settingsAt(server, account, keys), secretFile });
  const { fetch, log } = contextFor([server.url]);
  const open = (changed: Partial<typeof settings> = {}): Custody =>
    awsKind.open({ place: "main-aws", settings: { ...settings, ...changed }, fetch, log });
  return { custody: open(), open, give };
}

/** The strict stand-in, a user with the rights that the page prints, and two processes with a key each. */
export async function fakePlace(how: Partial<FakeAwsSettings> = {}) {
  const aws = await FakeAws.start({ ...gentle, ...how });
  onTestFinished(() => aws.close());
  const { account } = aws.identities;
  aws.addUser("rekey", [await policyIn(awsPage, "## Custody", account)]);
  const [one, two] = [
    await openAws(aws, account, aws.addKey("rekey")),
    await openAws(aws, account, aws.addKey("rekey")),
  ];
  return { aws, ...one, other: two.custody };
}

/** As steps of a rotation ask: what may be over soon is asked for again. */
export function patient(custody: Custody): Custody {
  const asked = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries += 1)
      try {
        return await work();
      } catch (error) {
        if (tries === 20 || !(error instanceof TransientError)) throw error;
      }
  };
  return {
    putIfAbsent: async (ref, value) => asked(async () => custody.putIfAbsent(ref, value)),
    get: async (ref) => asked(async () => custody.get(ref)),
    forget: async (ref) => asked(async () => custody.forget(ref)),
  };
}
