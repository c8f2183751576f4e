import { readFile } from "node:fs/promises";
import { NativeConnection } from "@temporalio/worker";
import { OperatorNeededError } from "../domain/errors.ts";
import type { Settings } from "../settings.ts";

/** Reaches Temporal as the settings say: plain on loopback, TLS and an API key elsewhere. */
export async function connectTemporal(temporal: Settings["temporal"], address: string): Promise<NativeConnection> {
  const read = async (file: string | undefined): Promise<Buffer | undefined> =>
    file === undefined ? undefined : readFile(file);
  const [ca, crt, key, apiKey] = await Promise.all(
    [temporal.caFile, temporal.certFile, temporal.keyFile, temporal.apiKeyFile].map(read),
  );
  const clientCertPair = crt === undefined || key === undefined ? undefined : { crt, key };
  try {
    return await NativeConnection.connect({
      address,
      ...(temporal.tls
        ? {
            tls: {
              ...(ca === undefined ? {} : { serverRootCACertificate: ca }),
              ...(clientCertPair === undefined ? {} : { clientCertPair }),
            },
          }
        : {}),
      ...(apiKey === undefined ? {} : { apiKey: apiKey.toString("utf8").trim() }),
    });
  } catch {
    throw new OperatorNeededError(
      "temporal_unreachable",
      `Temporal does not answer at ${address}. Check that it runs, and TEMPORAL_ADDRESS, TEMPORAL_TLS and the key files.`,
    );
  }
}
