import Alert from '@mui/material/Alert';
import AlertTitle from '@mui/material/AlertTitle';
import Button from '@mui/material/Button';
import { Refused } from '../api/client';

/** Something could not be had: what, why as far as the server says, and a way to ask again where that may help. */
export function Failed({ why, again }: { why: unknown; again: () => void }) {
  const { title, words, mayHelp } = told(why);
  const retry = (
    <Button color="inherit" size="small" onClick={again}>
      Try again
    </Button>
  );
  return (
    <Alert severity="error" variant="outlined" action={mayHelp ? retry : undefined}>
      <AlertTitle>{title}</AlertTitle>
      {words}
    </Alert>
  );
}

function told(why: unknown): { title: string; words: string; mayHelp: boolean } {
  if (!(why instanceof Refused)) {
    return { title: 'The server cannot be reached', words: 'Either the network or the server is down.', mayHelp: true };
  }
  if (why.status === 401) {
    const words = 'This server shows its APIs only to people who have signed in, which this portal cannot do yet.';
    return { title: 'Not for visitors', words, mayHelp: false };
  }
  if (why.status < 500) return { title: 'The server did not accept this', words: why.message, mayHelp: false };
  return { title: 'The server has a fault', words: why.message, mayHelp: true };
}
