type Keys = Readonly<Record<string, string>>;

/** Keys by the same name, for targets whose keys lie beside each other. */
export const sameKeys = (one: Keys, other: Keys): readonly string[] =>
  Object.keys(one).filter((key) => Object.hasOwn(other, key));
