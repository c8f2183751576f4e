// Failpoints kill the process they are in, for the crash tests. The published package has none.

export const isFailpointModule = (file) => /(^|\/)failpoints?\.(js|ts)$/.test(file);

/** A module's text without its import of failpoints and with each call, awaited or not, gone. */
export function withoutFailpoints(text) {
  const names = new Set();
  const kept = text.replace(/^import\s*\{([^}]*)\}\s*from\s*"[^"]*\/failpoints?\.[jt]s";?\n?/gm, (_, list) => {
    for (const item of list.split(",")) {
      const name = item
        .trim()
        .split(/\s+as\s+/)
        .at(-1);
      if (name !== "") names.add(name);
    }
    return "";
  });
  let rest = kept;
  for (const name of names) rest = withoutCalls(rest, name);
  return rest;
}

function withoutCalls(text, name) {
  const call = new RegExp(`\\b(?:await\\s+)?${name}\\s*\\(`, "g");
  let rest = "";
  let from = 0;
  for (let match = call.exec(text); match !== null; match = call.exec(text)) {
    const end = closing(text, call.lastIndex);
    rest += `${text.slice(from, match.index)}void 0`;
    from = end;
    call.lastIndex = end;
  }
  return (rest + text.slice(from)).replace(/^[ \t]*void 0;[ \t]*\n/gm, "");
}

/** The place behind the bracket that closes the one just before `at`. Names of failpoints hold no brackets. */
function closing(text, at) {
  for (let depth = 1, index = at; index < text.length; index++) {
    if (text[index] === "(") depth++;
    if (text[index] === ")" && --depth === 0) return index + 1;
  }
  throw new Error("A call of a failpoint is not closed.");
}
