const escaped = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;

/**
 * One part of a path for whatever text, of letters, digits, `-`, `_`, `.` and the mark: no two texts share one. The mark is
 * a character that the store lets a name have.
 */
export const pathPart = (text: string, mark: "~" | "="): string =>
  encodeURIComponent(text)
    .replaceAll(/[~!'()*]/g, escaped)
    .replaceAll("%", mark);
