/** Puts each block between its markers, `<!-- name -->` and `<!-- end of name -->`; all else of the page stays. */
export function paste(page: string, blocks: Readonly<Record<string, string>>): string {
  return Object.entries(blocks).reduce((text, [name, block]) => {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`The page has no place for '${name}': ${begin} and ${end}.`);
    return `${text.slice(0, from + begin.length)}\n\n\`\`\`\n${block.trimEnd()}\n\`\`\`\n\n${text.slice(to)}`;
  }, page);
}
