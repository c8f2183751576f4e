import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeCertificates, type Certificates } from "./aws/authority.ts";

export interface TestTls extends Certificates {
  readonly certFile: string;
  readonly keyFile: string;
  /** The authority, in a file. */
  readonly caFile: string;
}

/** Puts a text in the place of another one at once, as whoever renews certificates does. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.next`, text, { mode: 0o600 });
  await rename(`${path}.next`, path);
}

/** A certificate for 127.0.0.1 and localhost with its key, in files. */
export async function withTlsFiles(folder: string): Promise<TestTls> {
  const made = makeCertificates();
  const [certFile, keyFile, caFile] = ["cert.pem", "key.pem", "ca.pem"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await replaceFile(certFile, made.cert);
  await replaceFile(keyFile, made.key);
  await replaceFile(caFile, made.ca);
  return { ...made, certFile, keyFile, caFile };
}
