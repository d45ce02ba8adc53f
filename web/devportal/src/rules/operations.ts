// Reads the operations out of an OpenAPI 2 or 3 definition: what a caller needs to know of each, and no more.
//
// A definition comes from whoever wrote the API, so every member may be missing or of another kind than it should be.

export interface Operation {
  verb: string;
  path: string;
  summary: string;
  deprecated: boolean;
  /** Whose token a call needs. */
  token: 'none' | 'application' | 'user' | 'any';
  scopes: string[];
  /** Names of query parameters that a call cannot do without. */
  query: string[];
  /** Media type of the body, where there is one. */
  body: string | undefined;
}

type Tree = Record<string, unknown>;

const VERBS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'trace'];

/** `undefined` when the text is no OpenAPI definition. */
export function operations(text: string): Operation[] | undefined {
  const root = parse(text);
  if (!isTree(root) || !isTree(root.paths)) return undefined;
  return Object.entries(root.paths).flatMap(([path, item]) =>
    isTree(item) ? VERBS.filter((verb) => isTree(item[verb])).map((verb) => read(root, item, path, verb)) : [],
  );
}

/** An operation of which no more is known than this. */
export function bare(verb: string, path: string): Operation {
  return { verb, path, summary: '', deprecated: false, token: 'any', scopes: [], query: [], body: undefined };
}

function read(root: Tree, item: Tree, path: string, verb: string): Operation {
  const operation = tree(item[verb]);
  const parameters = [...list(item.parameters), ...list(operation.parameters)].map((parameter) => resolve(root, parameter));
  return {
    verb: verb.toUpperCase(),
    path,
    summary: text(operation.summary) || text(operation.description),
    deprecated: operation.deprecated === true,
    token: token(operation['x-auth-type']),
    scopes: scopes(list(operation.security ?? root.security)),
    query: parameters.filter((p) => p.in === 'query' && p.required === true).map((p) => text(p.name)),
    body: body(root, operation, parameters),
  };
}

function token(authType: unknown): Operation['token'] {
  switch (text(authType).toLowerCase()) {
    case 'none':
      return 'none';
    case 'application':
      return 'application';
    case 'application user':
    case 'application_user':
      return 'user';
    default:
      return 'any';
  }
}

/** The gateway's own scheme is called `default`; scopes of the author's schemes are the backend's affair. */
function scopes(security: unknown[]): string[] {
  return [...new Set(security.flatMap((requirement) => list(tree(requirement).default).map(text)))].filter((scope) => scope !== '');
}

function body(root: Tree, operation: Tree, parameters: Tree[]): string | undefined {
  if (isTree(operation.requestBody)) {
    const [first] = Object.keys(tree(resolve(root, operation.requestBody).content));
    return first ?? 'application/json';
  }
  if (!parameters.some((p) => p.in === 'body' || p.in === 'formData')) return undefined;
  const consumed = list(operation.consumes ?? root.consumes).map(text);
  return consumed[0] ?? (parameters.some((p) => p.in === 'formData') ? 'application/x-www-form-urlencoded' : 'application/json');
}

/** Follows one `#/…` reference; what cannot be found is an empty tree. */
function resolve(root: Tree, value: unknown): Tree {
  const reference = tree(value).$ref;
  if (typeof reference !== 'string') return tree(value);
  const steps = reference.replace(/^#\//, '').split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return tree(steps.reduce<unknown>((at, step) => tree(at)[step], root));
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // GraphQL, WSDL: texts of another kind, which the caller shows otherwise.
    return undefined;
  }
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
const tree = (value: unknown): Tree => (isTree(value) ? value : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
