/** `08:44:10`, with the date in front when it is another day than the one it is read on. */
export function clock(iso: string, now: string = new Date().toISOString()): string {
  const [day = "", time = ""] = new Date(iso).toISOString().split("T");
  const shown = time.slice(0, 8);
  return day === now.slice(0, 10) ? shown : `${day} ${shown}`;
}

/** `2027-01-07 08:00`, for what nobody reads by the second. */
export function minute(iso: string): string {
  return new Date(iso).toISOString().slice(0, 16).replace("T", " ");
}

/** `2m 13s`, by the clock of the ledger that both times come from. */
export function since(iso: string, now: string): string {
  return span(Date.parse(now) - Date.parse(iso));
}

export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}
