import { FakeAws } from "../harness/aws/fake-aws.ts";
import { gentle } from "../harness/aws/settings.ts";
import { hasVault, noVault, startVault } from "../harness/vault.ts";
import { awsIssuer } from "./aws-issuer.ts";
import { postgresSubject, type CrashSubject } from "./crash-subject.ts";
import type { MatrixCase } from "./matrix-cases.ts";
import { mintedSubject } from "./minted-subject.ts";
import { vaultIssuer } from "./vault-issuer.ts";

/** An issuer's servers, and what the workers have to know of them. */
export interface OpenIssuer {
  readonly subject: CrashSubject;
  readonly environment: Readonly<Record<string, string>>;
  readonly localPorts: readonly string[];
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
        localPorts: [],
        close: async () => Promise.resolve(),
      }),
  },
  vault: {
    ...(hasVault ? {} : { lacks: noVault }),
    async open() {
      const vault = await startVault();
      const subject = mintedSubject(vaultIssuer(vault));
      return { subject, environment: {}, localPorts: [new URL(vault.address).port], close: async () => vault.stop() };
    },
  },
  aws: {
    async open() {
      const aws = await FakeAws.start(gentle);
      return {
        subject: mintedSubject(await awsIssuer(aws)),
        environment: { WORLD_AWS_LAG_MS: String(awsLagMs) },
        localPorts: [new URL(aws.url).port],
        close: async () => aws.close(),
      };
    },
  },
};
