const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface Interrupts {
  readonly signal: AbortSignal;
  /** Resolves once somebody wants the demonstration to end. */
  readonly wanted: Promise<void>;
  /** What to end with then, as shells expect it; 0 before. */
  exitCode(): number;
}

/** Hears Ctrl-C, the signals that end a process, and the end of whoever started this one. */
export function hearInterrupts(onFirst: () => void): Interrupts {
  const ending = new AbortController();
  let code = 0;
  const end = (exitCode: number): void => {
    if (ending.signal.aborted) return;
    code = exitCode;
    onFirst();
    ending.abort();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => end(exitCodes[name]));
  // `rekey demo` forks us; should it be killed, this channel is all that tells.
  process.on("disconnect", () => end(1));
  const wanted = new Promise<void>((resolve) =>
    ending.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  return { signal: ending.signal, wanted, exitCode: () => code };
}

/** The channel would keep this process alive. */
export function leaveParent(): void {
  process.removeAllListeners("disconnect");
  if (process.connected) process.disconnect();
}
