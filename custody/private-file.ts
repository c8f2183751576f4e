/** What `stat` says of a file. */
interface Owned {
  readonly mode: number;
  readonly uid: number;
}

/**
 * Whether a file is for the user that runs rekey alone: its own with mode 0600, or root's, which this user may read and
 * others may not. Root's is how systemd's credentials (0400 with an access list) and Secrets mounted by Kubernetes (0440
 * with `fsGroup`) look; whoever could put one there is root.
 */
export function isPrivate({ mode, uid }: Owned, user = process.geteuid?.()): boolean {
  if (uid === user) return (mode & 0o077) === 0;
  return uid === 0 && (mode & 0o037) === 0;
}
