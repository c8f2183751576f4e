import { assertLedgerThere } from "../ledger/health.ts";
import type { Handlers } from "./deps.ts";
import { version } from "../release.ts";

export const healthHandlers: Handlers<"health"> = {
  async health(_, { ledger }) {
    await assertLedgerThere(ledger);
    return { status: "ok", version };
  },
};
