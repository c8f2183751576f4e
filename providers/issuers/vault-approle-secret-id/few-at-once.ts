/** Enough that thousands take seconds, and few enough that Vault has time for others. */
export const mostAtOnce = 8;

/** Does the work for each, a few at the same time; answers in the order of the items. None is begun after one has failed. */
export async function fewAtOnce<Item, Answer>(
  items: readonly Item[],
  work: (item: Item) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  const queue = items.entries();
  let hasFailed = false;
  const turn = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (hasFailed) return;
      try {
        answers[index] = await work(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, turn));
  return answers;
}
