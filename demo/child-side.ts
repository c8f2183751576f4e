/** What a child of the demonstration tells it: one JSON line each on standard output. */
export function say(event: string, fields: Readonly<Record<string, string | number | undefined>> = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** Ends this process in order when it is told to, or when whoever started it is gone (its standard input ends then). */
export function endWithParent(close: () => Promise<void>): void {
  let isEnding = false;
  const end = (): void => {
    if (isEnding) return;
    isEnding = true;
    void close()
      .catch(() => (process.exitCode = 1))
      .finally(() => process.exit());
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  process.stdin.on("end", end).on("error", end).resume();
  process.stdout.on("error", end);
}
