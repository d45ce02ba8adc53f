import Box from '@mui/material/Box';
import Chip from '@mui/material/Chip';
import Paper from '@mui/material/Paper';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useState } from 'react';
import type { Operation } from '../rules/operations';
import { mono } from '../theme';

/** From this many on, there is a box to filter them. */
const MANY = 12;

/** Shown at once; the filter finds the others. */
const SHOWN = 300;

const TOKEN_WORDS: Record<Operation['token'], string> = {
  none: 'No token',
  application: 'Application’s token',
  user: 'User’s token',
  any: 'Token',
};

/** What an API can do. `names` says what each scope means. */
export function OperationList({ operations, names }: { operations: Operation[]; names: Map<string, string> }) {
  const [typed, setTyped] = useState('');
  const wanted = typed.trim().toLowerCase();
  const found = operations.filter((o) => `${o.verb} ${o.path} ${o.summary}`.toLowerCase().includes(wanted));
  if (operations.length === 0) return <Typography>It has no operations.</Typography>;
  return (
    <>
      {operations.length >= MANY && (
        <TextField
          size="small"
          type="search"
          label={`Filter ${operations.length} operations`}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          sx={{ mb: 1.5, width: { xs: '100%', sm: 360 } }}
        />
      )}
      <Paper component="ul" sx={{ m: 0, p: 0, listStyle: 'none' }}>
        {found.slice(0, SHOWN).map((operation) => (
          <Line key={`${operation.verb} ${operation.path}`} operation={operation} names={names} />
        ))}
        {found.length === 0 && <Box component="li" sx={{ p: 2 }}>No operation matches.</Box>}
        {found.length > SHOWN && <Box component="li" sx={{ p: 2 }}>… and {found.length - SHOWN} more; the filter finds them.</Box>}
      </Paper>
    </>
  );
}

function Line({ operation, names }: { operation: Operation; names: Map<string, string> }) {
  return (
    <Box
      component="li"
      sx={{
        display: 'grid',
        gridTemplateColumns: { xs: '4.5rem 1fr', sm: '5.5rem 1fr auto' },
        columnGap: 2,
        rowGap: 0.5,
        alignItems: 'start',
        px: 2,
        py: 1.25,
        '& + &': { borderTop: 1, borderColor: 'divider' },
      }}
    >
      <Box sx={{ fontFamily: mono, fontWeight: 700, fontSize: '0.85rem', lineHeight: '24px', color: 'primary.main' }}>{operation.verb}</Box>
      <Box sx={{ minWidth: 0, overflowWrap: 'anywhere' }}>
        <Box component="code" sx={{ fontFamily: mono, fontSize: '0.9rem', textDecoration: operation.deprecated ? 'line-through' : 'none' }}>
          {operation.path}
        </Box>
        {operation.summary !== '' && (
          <Typography variant="body2" color="text.secondary">
            {operation.summary}
          </Typography>
        )}
      </Box>
      <Box sx={{ display: 'flex', flexWrap: 'wrap', gap: 0.75, gridColumn: { xs: 2, sm: 3 }, justifyContent: { sm: 'end' }, maxWidth: { sm: 280 } }}>
        {operation.deprecated && <Chip label="Deprecated" color="warning" variant="outlined" />}
        <Chip label={TOKEN_WORDS[operation.token]} variant="outlined" />
        {operation.scopes.map((scope) => (
          <Chip key={scope} label={`scope ${scope}`} title={names.get(scope) || undefined} />
        ))}
      </Box>
    </Box>
  );
}
