import { expect, test } from 'vitest';
import { operations } from './operations';

const read = (definition: unknown) => operations(JSON.stringify(definition));

test('an operation tells who may call it and with what', () => {
  const found = read({
    openapi: '3.0.1',
    security: [{ default: ['everywhere'] }],
    components: { parameters: { Page: { name: 'page', in: 'query', required: true } } },
    paths: {
      '/menu': {
        parameters: [{ $ref: '#/components/parameters/Page' }],
        get: { summary: 'The menu', 'x-auth-type': 'None', security: [{ default: [] }] },
        post: { description: 'Adds a dish', security: [{ default: ['cook', 'cook'] }, { other: ['x'] }], requestBody: { content: { 'text/csv': {} } } },
        'x-note': { summary: 'no operation' },
      },
      '/orders': { delete: { deprecated: true, 'x-auth-type': 'Application User' } },
    },
  });
  expect(found).toEqual([
    { verb: 'GET', path: '/menu', summary: 'The menu', deprecated: false, token: 'none', scopes: [], query: ['page'], body: undefined },
    { verb: 'POST', path: '/menu', summary: 'Adds a dish', deprecated: false, token: 'any', scopes: ['cook'], query: ['page'], body: 'text/csv' },
    { verb: 'DELETE', path: '/orders', summary: '', deprecated: true, token: 'user', scopes: ['everywhere'], query: [], body: undefined },
  ]);
});

test('OpenAPI 2 says otherwise what a body is', () => {
  const found = read({
    swagger: '2.0',
    consumes: ['application/xml'],
    paths: { '/a': { put: { parameters: [{ in: 'body', name: 'b' }] }, post: { consumes: [], parameters: [{ in: 'formData', name: 'f' }] } } },
  });
  expect(found?.map((o) => [o.verb, o.body])).toEqual([
    ['POST', 'application/x-www-form-urlencoded'],
    ['PUT', 'application/xml'],
  ]);
});

test('what is not as it should be is passed over', () => {
  expect(operations('type Query { a: Int }')).toBeUndefined();
  expect(read([])).toBeUndefined();
  expect(read({ paths: { '/a': null, '/b': { get: 'x', post: { parameters: 'x', security: [null, 'x'], summary: 7 } } } })).toHaveLength(1);
  expect(read({ paths: { '/a': { get: { parameters: [{ $ref: '#/gone' }, { $ref: 7 }] } } } })?.[0]?.query).toEqual([]);
});
