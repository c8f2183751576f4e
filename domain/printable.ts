/** Foreign text in a sentence for people: shortened, and without what could forge a line of a log or a terminal. */
export function printable(text: string, longest = 63): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, "?");
  return plain.length <= longest ? plain : `${plain.slice(0, longest - 3)}...`;
}
