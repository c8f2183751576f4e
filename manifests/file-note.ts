/**
 * What a person minds of a consumer that is a file. Whether it is so only the worker's settings say, and only preflight
 * asks them.
 */
export const fileNote = (target: string): string =>
  `${target.replace(/^file:/, "")} must lie below a folder that REKEY_FILE_ROOTS of the worker (or of \`rekey up\`) names; else a rotation holds before anything is changed.`;
