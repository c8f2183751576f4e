// Runs programs for the set-up, says what takes long, and ends them when the set-up itself is told to end.
import { spawn, spawnSync } from "node:child_process";

export const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
export const say = (text) => console.error(`setup: ${text}`);

/** A failure whose one line says what to run. */
export class Missing extends Error {}

/** Aborted by the first signal. */
export const stopped = new AbortController();
const children = new Set();

export function stopOnSignals() {
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
    process.on(signal, () => {
      process.exitCode = 128 + number;
      if (stopped.signal.aborted) process.exit();
      stopped.abort();
      for (const pid of children) killGroup(pid, "SIGTERM");
      // npm may take half a minute to listen; what it leaves half done is known and done again.
      setTimeout(() => children.forEach((pid) => killGroup(pid, "SIGKILL")), 3000).unref();
    });
  }
}

export function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // gone already
  }
}

/**
 * Rejects unless the program ended well. All it says goes to standard error; `note` is repeated with the time every
 * 20 seconds; `started` gets the pid.
 */
export function run(command, args, { note, started, ...options } = {}) {
  return new Promise((resolve, reject) => {
    stopped.signal.throwIfAborted();
    // A group of its own, so that it can be ended with all its children: npm leaves install scripts behind.
    const child = spawn(command, args, { stdio: ["ignore", 2, 2], detached: true, ...options });
    if (child.pid !== undefined) {
      children.add(child.pid);
      started?.(child.pid);
    }
    const from = performance.now();
    const timer = note && setInterval(() => say(`${note}, ${seconds(from)} so far`), 20_000);
    const end = (error) => {
      clearInterval(timer);
      children.delete(child.pid);
      if (error instanceof Error) reject(error);
      else resolve();
    };
    child.once("error", (error) => end(new Error(`${command} cannot be started: ${error.code}`)));
    child.once("close", (code, signal) => {
      const failure = new Error(`${command} ended with ${code ?? signal}`);
      end(code === 0 ? undefined : Object.assign(failure, { isKilled: code === null }));
    });
  });
}

export const works = (program, args) => spawnSync(program, args, { stdio: "ignore", timeout: 30_000 }).status === 0;
