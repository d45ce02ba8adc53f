import Chip from '@mui/material/Chip';

const WORDS: Record<string, string> = {
  SOAP: 'SOAP',
  SOAPTOREST: 'SOAP as REST',
  GRAPHQL: 'GraphQL',
  WS: 'WebSocket',
  WEBSUB: 'WebSub',
  SSE: 'Server-sent events',
};

/** What kind of API it is; nothing for the usual kind. */
export function KindChip({ kind }: { kind: string }) {
  const label = WORDS[kind.toUpperCase()];
  return label === undefined ? null : <Chip label={label} variant="outlined" />;
}
