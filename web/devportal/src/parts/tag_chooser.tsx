import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Chip from '@mui/material/Chip';
import { useState } from 'react';
import * as client from '../api/client';
import { useLoad } from '../use_load';

/** Tags shown before one asks for more. */
const FIRST = 12;

/**
 * Tags to choose one of; the chosen one is let go by choosing it again. Where
 * tags cannot be had there is nothing to choose, but what is chosen can still be let go.
 */
export function TagChooser({ chosen, choose }: { chosen: string; choose: (tag: string) => void }) {
  const [found] = useLoad('tags', client.tags);
  const [all, setAll] = useState(false);
  const known = found.state === 'ready' ? found.value.list : [];
  const missing = chosen === '' || known.some((tag) => tag.value === chosen) ? [] : [{ value: chosen, count: 0 }];
  const tags = [...known, ...missing].sort((a, b) => b.count - a.count || a.value.localeCompare(b.value));
  const shown = all ? tags : tags.filter((tag, at) => at < FIRST || tag.value === chosen);
  if (tags.length === 0) return null;
  return (
    <Box role="group" aria-label="Tags" sx={{ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: 1, mb: 3 }}>
      {shown.map(({ value, count }) => (
        <Chip
          key={value}
          label={count === 0 ? value : `${value} (${count})`}
          size="medium"
          color={value === chosen ? 'primary' : 'default'}
          variant={value === chosen ? 'filled' : 'outlined'}
          aria-pressed={value === chosen}
          onClick={() => choose(value === chosen ? '' : value)}
        />
      ))}
      {shown.length < tags.length && (
        <Button size="small" onClick={() => setAll(true)}>
          All {tags.length} tags
        </Button>
      )}
    </Box>
  );
}
