import { readFileSync } from "node:fs";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { exitCodes } from "./exit-codes.ts";
import { CliError } from "./cli-error.ts";

/** From now on a server is believed that these certificates (PEM) vouch for, besides the usual ones. */
export function trust(file: string): void {
  try {
    setDefaultCACertificates([...getCACertificates("default"), readFileSync(file, "utf8")]);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new CliError(
      `REKEY_CA_FILE: ${file} has no certificates that can be read (${code})`,
      "Name a PEM file with the authority that signed the API's certificate.",
      exitCodes.usage,
      "setting_invalid",
    );
  }
}
