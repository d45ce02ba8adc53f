import Chip from '@mui/material/Chip';

const WORDS: Record<string, { label: string; color: 'warning' | 'info' }> = {
  DEPRECATED: { label: 'Deprecated', color: 'warning' },
  PROTOTYPED: { label: 'Prototype', color: 'info' },
};

/** What is unusual about an API's state; nothing for a published one. */
export function StateChip({ state }: { state: string }) {
  const words = WORDS[state.toUpperCase()];
  return words === undefined ? null : <Chip {...words} variant="outlined" />;
}
