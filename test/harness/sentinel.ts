import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { setTimeout as pause } from "node:timers/promises";

/** What lay in a consumer's place at one time, by name. */
export type HeldLogin = Readonly<Record<string, string>>;

export interface SentinelReport {
  readonly logins: number;
  /** Each refusal, with the place in `held` of what was refused. */
  readonly troubles: readonly { readonly code: string; readonly held: number }[];
  /** All that lay there, in the order in which it was first seen there, with returns. */
  readonly held: readonly HeldLogin[];
}

export interface Sentinel {
  report(): SentinelReport;
  close(): Promise<SentinelReport>;
}

const everyMs = 20;

/** What lies in a dotenv file. */
export const inDotenv = (file: string) => async (): Promise<HeldLogin> =>
  ({ ...parseEnv(await readFile(file, "utf8")) }) as HeldLogin;

/**
 * Takes whatever lies in a consumer's place and logs in with it, again and again: an application that reloads at once, at
 * an issuer of any kind. `logsIn` answers with `accepted` or the issuer's own code, and knows nothing of rekey.
 */
export async function startSentinel(
  read: () => Promise<HeldLogin>,
  logsIn: (login: HeldLogin) => Promise<string>,
): Promise<Sentinel> {
  const held: HeldLogin[] = [];
  const troubles: { code: string; held: number }[] = [];
  let logins = 0;
  let isOpen = true;

  async function tick(): Promise<void> {
    const login = await read();
    if (JSON.stringify(login) !== JSON.stringify(held.at(-1))) held.push(login);
    const place = held.length - 1;
    const code = await logsIn(login).catch((error: unknown) => String(error));
    if (code === "accepted") logins += 1;
    // What was replaced while the call was on its way may have been ended by then: only what lies there still has to work.
    else if (JSON.stringify(login) === JSON.stringify(await read())) troubles.push({ code, held: place });
  }

  const report = (): SentinelReport => ({ logins, troubles: [...troubles], held: [...held] });
  await tick();
  const running = (async () => {
    while (isOpen) {
      await tick();
      await pause(everyMs);
    }
  })();
  return {
    report,
    async close() {
      isOpen = false;
      await running;
      return report();
    },
  };
}
