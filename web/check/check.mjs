// Uses the developer portal as a visitor does, in the machine's own Chromium, and leaves pictures. Started by `cargo xtask ui --check`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, request } from 'playwright-core';
import { fill } from './filled.mjs';

const { TIDEGATE_REST: baseURL, TIDEGATE_ADMIN_PASSWORD: password, TIDEGATE_PICTURES: pictures } = process.env;
assert(baseURL && password && pictures, 'this is started by `cargo xtask ui --check`');

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const rest = await request.newContext({ baseURL, ignoreHTTPSErrors: true });
const { ids, token: keys, close } = await fill(rest, password);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: QUIET });
const faults = [];
let page;

/** A visitor with a window of that width. What the browser complains of is a fault, unless it is an answer that the step expects. */
async function visit(options, expected = /^$/) {
  const context = await browser.newContext({ baseURL, ignoreHTTPSErrors: true, ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: baseURL });
  page = await context.newPage();
  page.on('pageerror', (fault) => faults.push(String(fault)));
  page.on('console', (said) => {
    if (['error', 'warning'].includes(said.type()) && !expected.test(said.text())) faults.push(said.text());
  });
  page.on('request', (asked) => {
    if (!asked.url().startsWith(baseURL) && !asked.url().startsWith('blob:')) faults.push(`the page asked ${asked.url()}`);
  });
}

const wide = { viewport: { width: 1440, height: 900 } };
const narrow = { viewport: { width: 390, height: 844 } };
const shot = (name) => page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, animations: 'disabled' });
const shows = (words) => page.getByText(words, { exact: /^\d+ APIs?$/.test(words) }).first().waitFor();
const heading = (name) => page.getByRole('heading', { level: 1, name }).waitFor();

async function step(name, run) {
  try {
    await run();
    await fits(name);
    assert.deepEqual(faults, [], `${name}: the browser complains`);
    console.log(`ok: ${name}`);
  } catch (fault) {
    if (page) await shot('failed');
    throw fault;
  }
}

/** Nothing may be wider than the window. */
async function fits(name) {
  const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert(width <= room, `${name}: the page is ${width} wide in a window of ${room}`);
}

await visit(wide);

await step('the list shows what is published, a page at a time', async () => {
  const answer = await page.goto('/devportal');
  assert.match(answer.headers()['content-security-policy'], /default-src 'self'/);
  await heading('APIs');
  await shows('28 APIs');
  assert.equal(await page.getByRole('list').first().getByRole('listitem').count(), 24);
  assert.equal(await page.getByText('Fading').count(), 0);
  await shot('list-wide');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'content');
  await page.getByRole('link', { name: /^Pizza/ }).focus();
  await page.keyboard.press('Tab');
  await shot('keyboard-wide');
  await page.getByRole('link', { name: 'Go to page 2' }).click();
  await page.waitForURL(/page=2/);
  await page.getByRole('link', { name: /Weather9/ }).waitFor();
});

await step('search by words, with the keyboard alone', async () => {
  const box = page.getByRole('searchbox', { name: 'Search' });
  await box.focus();
  await page.keyboard.type('region 25');
  await page.keyboard.press('Enter');
  await shows('1 API');
  await page.getByRole('link', { name: /Weather25/ }).waitFor();
  assert(await box.evaluate((box) => box === document.activeElement), 'the search box has lost the focus');
  await box.fill('nothing-like-this');
  await page.keyboard.press('Enter');
  await shows('Nothing here matches');
  await shot('nothing-wide');
  await page.getByRole('button', { name: 'Show all APIs' }).click();
  await shows('28 APIs');
  assert.equal(await box.inputValue(), '');
});

await step('search by tag, let go, and back', async () => {
  await page.getByRole('button', { name: /^food/ }).click();
  await shows('1 API');
  assert.equal(await page.getByRole('button', { name: /^food/ }).getAttribute('aria-pressed'), 'true');
  await page.getByRole('button', { name: /^food/ }).click();
  await shows('28 APIs');
  await page.goBack();
  await shows('1 API');
});

await step('open an API and see what it is', async () => {
  await page.getByRole('link', { name: /Pizza/ }).press('Enter');
  await heading('Pizza');
  assert.match(await page.title(), /^Pizza 1\.0\.0/);
  for (const words of ['Pizza to the door', '/pizza/1.0.0', 'Anna Forno', 'What there is today', 'scope order', 'Gold']) await shows(words);
  assert.equal(await page.getByText('Deprecated', { exact: true }).count(), 1);
  await shot('api-wide');
});

await step('the shown commands work as they stand', async () => {
  const shown = async (name) => (await page.getByLabel(name, { exact: true }).innerText()).trim();
  const sh = async (line) => (await promisify(execFile)('sh', ['-c', line.replace(/^curl /, 'curl -ks ')])).stdout;
  // The first GET is open, so it comes without a token.
  assert.equal(JSON.parse(await sh(await shown('Call'))).echo, 'GET /menu');
  await page.getByRole('combobox', { name: 'Operation' }).click();
  await page.getByRole('option', { name: 'GET /orders/{orderId}' }).click();
  const asked = (await shown('Token')).replace('CONSUMER_KEY', keys.key).replace('CONSUMER_SECRET', keys.secret);
  const { access_token: token } = JSON.parse(await sh(asked));
  const call = await shown('Call');
  assert.equal(JSON.parse(await sh(call.replace('ACCESS_TOKEN', token))).echo, 'GET /orders/ORDER_ID');
  assert.match(await sh(call), /900901/);
  await page.getByRole('button', { name: 'Copy: Call' }).click();
  await page.getByRole('button', { name: 'Copied: Call' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), call);
});

await step('the definition can be taken home', async () => {
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download definition' }).click();
  const file = await download;
  assert.equal(file.suggestedFilename(), 'Pizza-1.0.0.json');
  const definition = JSON.parse(readFileSync(await file.path(), 'utf8'));
  assert.match(definition.servers[0].url, /^https:\/\/localhost:\d+\/pizza\/1\.0\.0$/);
});

await step('colours can be chosen and stay chosen', async () => {
  await page.getByRole('button', { name: 'Dark colours' }).click();
  await shot('api-dark');
  await page.reload();
  await page.getByRole('button', { name: 'Light colours' }).waitFor();
  await page.goto('/devportal/apis');
  await shows('28 APIs');
  await shot('list-dark');
});

await visit(narrow, /status of 404/);

await step('odd APIs on a narrow screen', async () => {
  await page.goto('/devportal/');
  await shows('28 APIs');
  await shot('list-narrow');
  await page.goto(`/devportal/apis/${ids.Pizza}`);
  await shows('What there is today');
  await shot('api-narrow');
  await fits('the usual API');
  const [long] = Object.keys(ids).filter((name) => name.startsWith('Extra'));
  await page.goto(`/devportal/apis/${ids[long]}/overview`);
  await page.getByRole('searchbox', { name: /Filter 30/ }).fill('/things/29');
  await shows('/things/29/');
  assert.equal(await page.getByText('/things/28/').count(), 0);
  await shot('long-narrow');
});

await step('what is not there says so', async () => {
  await page.goto('/devportal/apis/00000000-0000-0000-0000-000000000000');
  await heading('Not found');
  await shot('missing-narrow');
  await page.goto('/devportal/no/such/page');
  await heading('Not found');
  assert.equal((await rest.get('/devportal/assets/none.js')).status(), 404);
});

await step('deprecated, prototyped and undeployed say so', async () => {
  await page.goto(`/devportal/apis/${ids.Fading}`);
  await shows('nobody can subscribe');
  await page.goto(`/devportal/apis/${ids.Sketch}`);
  await shows('Prototype');
  await page.goto(`/devportal/apis/${ids.Weather2}`);
  await shows('not deployed to any gateway');
  await page.getByRole('listitem').filter({ hasText: 'GET' }).waitFor();
  await shot('undeployed-narrow');
});

await visit(wide, /status of 400|status of 503|ERR_FAILED|Failed to load resource/);

await step('refusals and faults say what to do', async () => {
  await page.goto('/devportal/apis?q=version:');
  await shows('has no value');
  await shot('refused-wide');
  await page.route('**/search?*', (route) => route.abort());
  await page.goto('/devportal/apis');
  await shows('The server cannot be reached');
  await page.unroute('**/search?*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await shows('28 APIs');
  await page.route('**/search?*', (route) => route.fulfill({ status: 401, json: { description: 'Unauthenticated request' } }));
  await page.goto('/devportal/apis');
  await shows('Not for visitors');
});

await browser.close();
await rest.dispose();
close();
