import { expect, test } from 'vitest';
import { call, graphqlCall, token } from './curl';
import { bare } from './operations';

const BASE = 'https://gw:8243/pizza/1.0';

test('a plain call is one line per option', () => {
  expect(call(BASE, bare('GET', '/menu'), 'Authorization')).toBe(
    `curl -H 'Authorization: Bearer ACCESS_TOKEN' \\\n  'https://gw:8243/pizza/1.0/menu'`,
  );
  expect(call(BASE, { ...bare('GET', '/menu'), token: 'none' }, 'Authorization')).toBe(`curl 'https://gw:8243/pizza/1.0/menu'`);
});

test('what must be filled in is in capitals', () => {
  const operation = { ...bare('PUT', '/orders/{orderId}/{line-no}'), query: ['dry run'], body: 'application/json' };
  const command = call(`${BASE}/`, operation, 'X-Token');
  expect(command).toContain('-X PUT');
  expect(command).toContain(`-H 'X-Token: Bearer ACCESS_TOKEN'`);
  expect(command).toContain(`-H 'Content-Type: application/json'`);
  expect(command).toContain('--data-binary @BODY_FILE');
  expect(command).toContain(`'https://gw:8243/pizza/1.0/orders/ORDER_ID/LINE_NO?dry%20run=DRY_RUN'`);
});

test('nothing in a definition can leave its quotes', () => {
  const command = call(BASE, { ...bare('GET', "/a'; rm -rf b #"), body: "x'$(y)" }, "H'; z");
  expect(command).toContain(`'https://gw:8243/pizza/1.0/a'\\''; rm -rf b #'`);
  expect(command).toContain(`'Content-Type: x'\\''$(y)'`);
  expect(command).toContain(`'H'\\''; z: Bearer ACCESS_TOKEN'`);
});

test('a wildcard is the place above it, and HEAD has its own option', () => {
  expect(call(BASE, { ...bare('HEAD', '/*'), token: 'none' }, 'Authorization')).toBe(`curl -I \\\n  'https://gw:8243/pizza/1.0/'`);
});

test('a token is asked for with the scopes it needs', () => {
  expect(token('https://gw/oauth2/token', [])).not.toContain('scope');
  expect(token('https://gw/oauth2/token', ['a', 'b'])).toContain(`--data-urlencode 'scope=a b'`);
  expect(graphqlCall(BASE, 'Authorization')).toContain('__typename');
});
