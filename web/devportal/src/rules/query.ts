// The words of the search box and the chosen tag, as the REST interface wants them.

export function query(words: string, tag: string): string {
  const terms = [words.trim()];
  // A quoted value matches as a whole; the grammar has no way to write a quote inside one.
  if (tag !== '') terms.push(`tags:"${tag.replaceAll('"', '')}"`);
  return terms.filter((term) => term !== '').join(' ');
}
