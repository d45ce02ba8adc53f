// Asks the portal's public REST interface, as nobody in particular.

import type { ApiDetails, FoundApi, Page, Plan, Tag } from './types';

const ROOT = '/api/am/devportal/v2';

/** The server answered and refused. `message` is the server's own word for people. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function search(query: string, limit: number, offset: number, signal: AbortSignal): Promise<Page<FoundApi>> {
  return json(`/search?${new URLSearchParams({ query, limit: String(limit), offset: String(offset) })}`, signal);
}

export function tags(signal: AbortSignal): Promise<Page<Tag>> {
  return json('/tags?limit=1000', signal);
}

export function api(id: string, signal: AbortSignal): Promise<ApiDetails> {
  return json(`/apis/${encodeURIComponent(id)}`, signal);
}

export function plans(id: string, signal: AbortSignal): Promise<Plan[]> {
  return json(`/apis/${encodeURIComponent(id)}/subscription-policies`, signal);
}

/** The definition as text: JSON with the addresses of `environment`, or GraphQL's own language. */
export async function definition(of: ApiDetails, environment: string | undefined, signal: AbortSignal): Promise<string> {
  const path = `/apis/${encodeURIComponent(of.id)}/`;
  if (of.type === 'GRAPHQL') return (await ask(`${path}graphql-schema`, signal)).text();
  const which = environment === undefined ? '' : `?${new URLSearchParams({ environmentName: environment })}`;
  return (await ask(`${path}swagger${which}`, signal)).text();
}

async function json<T>(path: string, signal: AbortSignal): Promise<T> {
  return (await ask(path, signal)).json() as Promise<T>;
}

async function ask(path: string, signal: AbortSignal): Promise<Response> {
  const answer = await fetch(ROOT + path, { signal, headers: { accept: 'application/json, text/plain' } });
  if (answer.ok) return answer;
  // A proxy in between may answer with something that is no error body of ours.
  const body: { description?: string; message?: string } = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, body.description || body.message || `The server answered with status ${answer.status}.`);
}
