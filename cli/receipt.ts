import { readFile, writeFile } from "node:fs/promises";
import { receiptAsPage } from "../receipt/as-page.ts";
import { receiptAsText, receiptInShort } from "../receipt/as-text.ts";
import { publicKeyText, readPublicKeys, thumbprint } from "../receipt/pinned-keys.ts";
import { receiptText } from "../receipt/sign.ts";
import { signedReceipt, type SignedReceipt } from "../receipt/shape.ts";
import { verifyFile } from "../receipt/verify-page.ts";
import type { Fault, PinnedKey } from "../receipt/verify.ts";
import { CliError, usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { printable } from "./table.ts";
import { findingLines, waitForCheck } from "./wait-for-check.ts";
import { wrapAfter } from "./wrap.ts";

const forms = {
  json: receiptText,
  html: receiptAsPage,
  text: receiptAsText,
} as const satisfies Readonly<Record<string, (document: SignedReceipt) => string>>;

export const receiptFormats = Object.keys(forms) as readonly (keyof typeof forms)[];

export interface ReceiptOptions {
  readonly format: keyof typeof forms;
  readonly out?: string;
  readonly timeout?: number;
}

/** `rekey rotation receipt` */
export async function receipt(io: Io, rotation: string, { format, out, timeout }: ReceiptOptions): Promise<ExitCode> {
  const client = await io.client();
  const { checkId, rotationId } = await client.call("requestReceipt", { params: { rotation } });
  const check = await waitForCheck(io, client, checkId, timeout ?? 60_000);
  if (check.state !== "done" || check.result === null || !("receipt" in check.result)) {
    io.give(check);
    io.note(`No receipt of ${rotationId} was signed:`, ...check.findings.flatMap(findingLines));
    return exitCodes.failed;
  }
  const { receipt: answered } = check.result;
  if (!signedReceipt.safeParse(answered).success)
    throw new CliError("The worker's receipt has another shape than this release knows", "Use the worker's release.");
  const document = answered as SignedReceipt;
  io.give(document);
  const text = forms[format](document);
  if (out === undefined) {
    io.say(text.trimEnd());
    return exitCodes.done;
  }
  await writeFile(out, text).catch((error: unknown) => {
    throw usage(`${out} cannot be written (${codeOf(error)})`, "Name with --out a file in a folder that is yours.");
  });
  io.say(
    `The receipt of ${rotationId} is in ${out}.`,
    format === "text"
      ? "  It proves nothing as text: give --format json or html to who has to check it."
      : `  Check it anywhere: rekey receipt verify --key KEYFILE ${out} (rekey audit key prints the key)`,
  );
  return exitCodes.done;
}

export interface VerifyOptions {
  readonly key: readonly string[];
}

/** `rekey receipt verify`: asks nobody, so that it works where there is no rekey but this program. */
export async function verifyReceiptFile(io: Io, file: string, { key }: VerifyOptions): Promise<ExitCode> {
  const keys = (await Promise.all(key.map(readKeys))).flat();
  const text = await readText(file, "Name the file that the receipt was saved in.");
  const verdict = verifyFile(text, keys);
  io.give(verdict);
  if (verdict.ok) {
    io.say(
      `GENUINE: signed by key ${printable(verdict.keyId)}, and not a word of it was changed.`,
      "",
      ...receiptInShort(verdict.receipt),
      ...verdict.unknownSections.map((name) => `  Signed too, and not known to this release: ${printable(name)}`),
    );
    return exitCodes.done;
  }
  const { faults } = verdict;
  io.say(
    `NOT GENUINE: ${file} is not as rekey signed it.`,
    ...faults.slice(0, mostShown).flatMap(faultLines),
    ...(faults.length > mostShown ? [`  … and ${faults.length - mostShown} more`] : []),
    "  Believe nothing of it. Ask for the file as rekey made it: rekey rotation receipt ID",
  );
  return exitCodes.failed;
}

const mostShown = 20;

function faultLines({ at, text, place }: Fault): readonly string[] {
  const where = place === undefined ? "" : `line ${place.line}, column ${place.column}`;
  const lead = at === "" ? where : where === "" ? printable(at) : `${printable(at)} (${where})`;
  return wrapAfter("  ! ", `${lead}${lead === "" ? "" : ": "}${printable(text)}`, "    ");
}

async function readKeys(file: string): Promise<readonly PinnedKey[]> {
  const text = await readText(file, "Name with --key the file that you keep the public key in: rekey audit key > FILE");
  if (text.includes("rekey/signing-keys/") || text.includes("PRIVATE KEY"))
    throw usage(
      `${file} holds a private key, which is nobody's but the workers'`,
      "Give the public one: rekey audit key > FILE",
    );
  const keys = readPublicKeys(text);
  if (keys.length > 0) return keys;
  throw usage(`${file} holds no public Ed25519 key`, "Pin what `rekey audit key` prints: rekey audit key > FILE");
}

function readText(file: string, next: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    const code = codeOf(error);
    throw usage(code === "ENOENT" ? `There is no file ${file}` : `${file} cannot be read (${code})`, next);
  });
}

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "unknown");

/** `rekey audit key` */
export async function printAuditKeys(io: Io): Promise<ExitCode> {
  const client = await io.client();
  const { keys } = await client.call("showAuditKeys", {});
  io.give({ keys: keys.map((key) => ({ ...key, thumbprint: thumbprint(key.jwk) })) });
  io.say(
    keys
      .map(({ id, jwk }) => publicKeyText(id, jwk))
      .join("\n")
      .trimEnd(),
  );
  io.note(
    "Keep this where nobody who can write to rekey can write, and compare the thumbprint with somebody who asked apart from you.",
  );
  return exitCodes.done;
}
