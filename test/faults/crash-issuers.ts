import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle } from "../harness/aws/settings.ts";
import { lineTo, type TlsLine } from "../harness/proxy/tls.ts";
import { hasVault, noVault, startVault } from "../harness/vault.ts";
import { awsIssuer } from "./aws-issuer.ts";
import { postgresSubject, type CrashSubject } from "./crash-subject.ts";
import type { MatrixCase } from "./matrix-cases.ts";
import { mintedSubject } from "./minted-subject.ts";
import { vaultIssuer } from "./vault-issuer.ts";

/** An issuer's servers, and what the workers have to know of them. */
export interface OpenIssuer {
  readonly subject: CrashSubject;
  /** The only way to it that rekey knows, where calls can be lost on it. */
  readonly line?: TlsLine;
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<unknown>;
}

interface CrashIssuer {
  /** Why it cannot be opened here. */
  readonly lacks?: string;
  open(): Promise<OpenIssuer>;
}

/** How long the stand-in for AWS is behind itself. Milliseconds. */
const awsLagMs = 300;

export const crashIssuers: Readonly<Record<MatrixCase["issuer"], CrashIssuer>> = {
  // Its server belongs to the world.
  postgres: {
    open: async () =>
      Promise.resolve({
        subject: postgresSubject,
        environment: {},
        close: async () => Promise.resolve(),
      }),
  },
  vault: {
    ...(hasVault ? {} : { lacks: noVault }),
    async open() {
      const vault = await startVault();
      const line = await lineTo({ url: vault.address, ca: vault.ca });
      return {
        subject: mintedSubject(vaultIssuer(vault, line)),
        line,
        environment: {},
        async close() {
          line.proxy.close();
          await vault.stop();
        },
      };
    },
  },
  aws: {
    async open() {
      const aws = await FakeAws.start(gentle);
      const line = await lineTo(aws);
      return {
        subject: mintedSubject(await awsIssuer(aws, line)),
        line,
        environment: { WORLD_AWS_LAG_MS: String(awsLagMs) },
        async close() {
          line.proxy.close();
          aws.close();
        },
      };
    },
  },
};
