import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { setTimeout as pause } from "node:timers/promises";

/** What lay in the file at one time, by variable. */
export type HeldLogin = Readonly<Record<string, string>>;

export interface SentinelReport {
  readonly logins: number;
  /** Each refusal, with the place in `held` of what was refused. */
  readonly troubles: readonly { readonly code: string; readonly held: number }[];
  /** All that lay in the file, in the order in which it was first seen there, with returns. */
  readonly held: readonly HeldLogin[];
}

export interface Sentinel {
  report(): SentinelReport;
  close(): Promise<SentinelReport>;
}

const everyMs = 20;

/**
 * Takes whatever lies in a consumer's dotenv file and logs in with it, again and again: an application that reloads at
 * once, at an issuer of any kind. `logsIn` answers with `accepted` or the issuer's own code, and knows nothing of rekey.
 */
export async function startSentinel(file: string, logsIn: (login: HeldLogin) => Promise<string>): Promise<Sentinel> {
  const held: HeldLogin[] = [];
  const troubles: { code: string; held: number }[] = [];
  let logins = 0;
  let isOpen = true;

  const read = async () => ({ ...parseEnv(await readFile(file, "utf8")) }) as HeldLogin;

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
