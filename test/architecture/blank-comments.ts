const afterOperand = /[\w$)\]}"'`]$/;
const beforeExpression = /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|await|yield)$/;

/**
 * The code with each comment replaced by spaces of the same length, so that offsets and lines stay. Strings, templates
 * and regular expressions are kept, whatever they hold. A small scanner rather than a parser: the compiler in use has no
 * programming interface, and the rules need no more than this.
 */
export function blankComments(code: string): string {
  let out = "";
  let at = 0;
  /** Depth of braces at which each open `${` of a template ends. */
  const templates: number[] = [];
  let depth = 0;
  const keep = (to: number): void => {
    out += code.slice(at, to);
    at = to;
  };
  const blank = (to: number): void => {
    out += code.slice(at, to).replace(/[^\n]/g, " ");
    at = to;
  };
  while (at < code.length) {
    const two = code.slice(at, at + 2);
    const one = two[0] ?? "";
    if (two === "//" || (two === "#!" && at === 0)) blank(endOf(code, "\n", at));
    else if (two === "/*") blank(Math.min(code.length, endOf(code, "*/", at + 2) + 2));
    else if (one === '"' || one === "'") keep(stringEnd(code, at));
    else if (one === "`") keep(templateEnd(code, at + 1, () => templates.push(depth)));
    else if (one === "}" && templates.at(-1) === depth) {
      templates.pop();
      keep(templateEnd(code, at + 1, () => templates.push(depth)));
    } else if (one === "/" && startsRegex(out)) keep(regexEnd(code, at));
    else {
      if (one === "{") depth += 1;
      if (one === "}") depth -= 1;
      keep(at + 1);
    }
  }
  return out;
}

function endOf(code: string, mark: string, from: number): number {
  const found = code.indexOf(mark, from);
  return found < 0 ? code.length : found;
}

function stringEnd(code: string, from: number): number {
  const quote = code[from];
  let at = from + 1;
  while (at < code.length && code[at] !== quote && code[at] !== "\n") at += code[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** The end of a template, or of its part up to and with the next `${`. */
function templateEnd(code: string, from: number, open: () => void): number {
  for (let at = from; at < code.length; at += 1) {
    if (code[at] === "\\") at += 1;
    else if (code[at] === "`") return at + 1;
    else if (code[at] === "$" && code[at + 1] === "{") {
      open();
      return at + 2;
    }
  }
  return code.length;
}

/** Whether a slash after this begins a regular expression: not after an operand, where it divides. */
function startsRegex(before: string): boolean {
  const text = before.slice(-40).trimEnd();
  return !afterOperand.test(text) || beforeExpression.test(text);
}

function regexEnd(code: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < code.length && code[at] !== "\n"; at += 1) {
    if (code[at] === "\\") at += 1;
    else if (code[at] === "[") inClass = true;
    else if (code[at] === "]") inClass = false;
    else if (code[at] === "/" && !inClass) return at + 1;
  }
  return from + 1;
}
