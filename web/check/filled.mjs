// Fills a fresh Tidegate with APIs that try the page: a full definition, odd states, long words, and enough of them for several pages.

import { createServer } from 'node:http';

const SCOPES = 'apim:api_create apim:api_publish apim:api_view apim:subscribe apim:app_manage apim:sub_manage';

const PIZZA = {
  openapi: '3.0.1',
  info: { title: 'Pizza', version: '1.0.0' },
  components: {
    securitySchemes: {
      default: {
        type: 'oauth2',
        flows: { implicit: { authorizationUrl: 'https://localhost', scopes: { order: 'Orders' }, 'x-scopes-bindings': { order: 'admin' } } },
      },
    },
  },
  paths: {
    '/menu': {
      get: { summary: 'What there is today', 'x-auth-type': 'None', responses: { 200: { description: 'ok' } } },
      post: {
        summary: 'Puts a pizza on the menu',
        requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
        responses: { 201: { description: 'made' } },
      },
    },
    '/orders/{orderId}': {
      get: {
        summary: 'One order',
        parameters: [{ name: 'orderId', in: 'path', required: true, schema: { type: 'string' } }],
        responses: { 200: { description: 'ok' } },
      },
      delete: {
        summary: 'Cancels an order, if it is not in the oven yet',
        deprecated: true,
        security: [{ default: ['order'] }],
        parameters: [{ name: 'orderId', in: 'path', required: true, schema: { type: 'string' } }],
        responses: { 204: { description: 'gone' } },
      },
    },
  },
};

/** `rest` has a `fetch` that takes the server's own certificate. Gives ids by name and a token that may call. */
export async function fill(rest, password) {
  const publisher = await signIn(rest, password);
  const backend = await echo();
  const ids = {};
  const publish = async (api, { definition, deploy = true, steps = ['Publish'] } = {}) => {
    const { id } = await publisher.json('POST', '/api/am/publisher/v2/apis', { ...usual(backend.url), ...api });
    if (definition) await publisher.form('PUT', `/api/am/publisher/v2/apis/${id}/swagger`, { apiDefinition: JSON.stringify(definition) });
    if (deploy) {
      const revision = await publisher.json('POST', `/api/am/publisher/v2/apis/${id}/revisions`, { description: 'check' });
      const environment = [{ name: 'Default', displayOnDevportal: true }];
      await publisher.json('POST', `/api/am/publisher/v2/apis/${id}/deploy-revision?revisionId=${revision.id}`, environment);
    }
    for (const step of steps) {
      await publisher.json('POST', `/api/am/publisher/v2/apis/change-lifecycle?apiId=${id}&action=${encodeURIComponent(step)}`);
    }
    ids[api.name] = id;
  };
  const policies = ['Unlimited', 'Gold', 'Bronze'];
  const description = 'Pizza to the door: the menu, orders, and where they are now.\nOpen from 11 to 23.';
  const people = { businessOwner: 'Anna Forno', businessOwnerEmail: 'anna@example.com' };
  await publish(
    { name: 'Pizza', context: '/pizza', description, tags: ['food', 'delivery'], policies, businessInformation: people },
    { definition: PIZZA },
  );
  await publish({ name: 'Fading', context: '/fading', tags: ['food'] }, { steps: ['Publish', 'Deprecate'] });
  await publish({ name: 'Sketch', context: '/sketch', description: 'Not finished, but to be tried.' }, { steps: ['Deploy as a Prototype'] });
  const long = 'Extraordinarily'.repeat(3);
  await publish({
    name: long,
    version: '2026.11.22-beta',
    context: `/${long.toLowerCase()}/and/further/down`,
    description: `${long} ${'words after words. '.repeat(20)}`,
    tags: ['a tag of several words', 'x'.repeat(28)],
    operations: Array.from({ length: 30 }, (_, n) => ({ target: `/things/${n}/with/a/long/way/to/go/{identifierOfTheThing}`, verb: 'GET' })),
  });
  for (let n = 1; n <= 25; n += 1) {
    await publish({ name: `Weather${n}`, context: `/weather${n}`, description: `Weather of region ${n}`, tags: ['weather'] }, { deploy: n === 1 });
  }
  return { ids, token: await subscribed(publisher, ids.Pizza), close: backend.close };
}

function usual(url) {
  return {
    version: '1.0.0',
    policies: ['Unlimited'],
    endpointConfig: { endpoint_type: 'http', production_endpoints: { url }, sandbox_endpoints: { url } },
    operations: [{ target: '/*', verb: 'GET' }],
  };
}

async function signIn(rest, password) {
  const basic = (user, secret) => `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
  const asked = { clientName: 'check', callbackUrl: '', grantType: 'password refresh_token', saasApp: true, owner: 'admin' };
  const made = await answered(
    await rest.fetch('/client-registration/v0.17/register', { method: 'POST', headers: { authorization: basic('admin', password) }, data: asked }),
  );
  const form = { grant_type: 'password', username: 'admin', password, scope: SCOPES };
  const granted = await answered(
    await rest.fetch('/oauth2/token', { method: 'POST', headers: { authorization: basic(made.clientId, made.clientSecret) }, form }),
  );
  const headers = { authorization: `Bearer ${granted.access_token}` };
  return {
    json: async (method, path, data) => answered(await rest.fetch(path, { method, headers, data })),
    form: async (method, path, multipart) => answered(await rest.fetch(path, { method, headers, multipart })),
  };
}

async function subscribed(caller, apiId) {
  const root = '/api/am/devportal/v2';
  const application = await caller.json('POST', `${root}/applications`, { name: 'check', throttlingPolicy: 'Unlimited', description: '', tokenType: 'JWT' });
  const { applicationId } = application;
  await caller.json('POST', `${root}/subscriptions`, { applicationId, apiId, throttlingPolicy: 'Unlimited' });
  const keys = await caller.json('POST', `${root}/applications/${applicationId}/generate-keys`, {
    keyType: 'PRODUCTION',
    grantTypesToBeSupported: ['client_credentials'],
    callbackUrl: '',
    validityTime: 3600,
    scopes: ['default'],
    additionalProperties: {},
  });
  return { key: keys.consumerKey, secret: keys.consumerSecret };
}

async function answered(answer) {
  const text = await answer.text();
  if (!answer.ok()) throw new Error(`${answer.url()} answered ${answer.status()}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** A backend that says what it was asked. */
function echo() {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ echo: `${request.method} ${request.url}` }));
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }));
  });
}
