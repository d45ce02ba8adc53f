import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Paper from '@mui/material/Paper';
import { useState } from 'react';
import { mono } from '../theme';

/** A command to paste into a shell. `name` says which, to who hears the button and not its surroundings. */
export function Command({ name, text }: { name: string; text: string }) {
  return (
    <Paper sx={{ position: 'relative', bgcolor: 'background.default' }}>
      <Box
        component="pre"
        tabIndex={0}
        aria-label={name}
        sx={{ m: 0, p: 2, pr: { xs: 2, sm: 10 }, pb: { xs: 6, sm: 2 }, overflowX: 'auto', fontFamily: mono, fontSize: '0.85rem', lineHeight: 1.6 }}
      >
        {text}
      </Box>
      <Box sx={{ position: 'absolute', right: 8, bottom: { xs: 8, sm: 'auto' }, top: { sm: 8 } }}>
        <Copy name={name} text={text} />
      </Box>
    </Paper>
  );
}

/** Puts a text on the clipboard and says whether it did: browsers refuse it on pages that came over plain HTTP. */
function Copy({ name, text }: { name: string; text: string }) {
  const [done, setDone] = useState<{ text: string; well: boolean }>();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone({ text, well: true });
    } catch {
      setDone({ text, well: false });
    }
  };
  const words = done?.text !== text ? 'Copy' : done.well ? 'Copied' : 'Not allowed';
  return (
    <Button size="small" variant="outlined" onClick={copy} aria-label={`${words}: ${name}`} aria-live="polite" sx={{ bgcolor: 'background.paper' }}>
      {words}
    </Button>
  );
}
