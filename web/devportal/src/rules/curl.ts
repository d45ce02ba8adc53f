// Commands that can be pasted into a shell. What the caller must fill in is in capitals.

import type { Operation } from './operations';

/** A call of `operation` below `base`, the API's address at a gateway. */
export function call(base: string, operation: Operation, tokenHeader: string): string {
  const words = ['curl'];
  if (operation.verb === 'HEAD') words.push('-I');
  else if (operation.verb !== 'GET') words.push(`-X ${quoted(operation.verb)}`);
  if (operation.token !== 'none') words.push(`-H ${quoted(`${tokenHeader}: Bearer ACCESS_TOKEN`)}`);
  if (operation.body !== undefined) words.push(`-H ${quoted(`Content-Type: ${operation.body}`)}`, '--data-binary @BODY_FILE');
  words.push(quoted(address(base, operation)));
  return lines(words);
}

/** A GraphQL query that every schema can answer. */
export function graphqlCall(base: string, tokenHeader: string): string {
  return lines([
    'curl',
    `-H ${quoted(`${tokenHeader}: Bearer ACCESS_TOKEN`)}`,
    `-H ${quoted('Content-Type: application/json')}`,
    `-d ${quoted('{"query":"{ __typename }"}')}`,
    quoted(base),
  ]);
}

/** A token by client credentials, with the scopes it is to carry. */
export function token(endpoint: string, scopes: string[]): string {
  const words = ['curl', '-u CONSUMER_KEY:CONSUMER_SECRET', '-d grant_type=client_credentials'];
  if (scopes.length > 0) words.push(`--data-urlencode ${quoted(`scope=${scopes.join(' ')}`)}`);
  words.push(quoted(endpoint));
  return lines(words);
}

function address(base: string, { path, query }: Operation): string {
  // A wildcard stands for whatever follows; curl would read braces as a list of its own.
  const filled = path.replace(/\/\*$/, '/').replace(/\{([^}]*)\}/g, (_, name: string) => placeholder(name));
  const asked = query.map((name) => `${encodeURIComponent(name)}=${placeholder(name)}`).join('&');
  return base.replace(/\/$/, '') + filled + (asked === '' ? '' : `?${asked}`);
}

function placeholder(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_');
  return words.toUpperCase();
}

function quoted(word: string): string {
  return /^[A-Za-z0-9]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** One option a line: long lines are what people mistype. */
function lines([program, ...words]: string[]): string {
  return `${program} ${words.join(' \\\n  ')}`;
}
