/** Something to wait for, and what lets it pass. */
export function gate(): readonly [passed: Promise<void>, open: () => void] {
  const { promise, resolve } = Promise.withResolvers<void>();
  return [promise, () => resolve()];
}
