import Button from '@mui/material/Button';
import type { ApiDetails } from '../api/types';

/** Hands the definition over as a file. */
export function Download({ api, text }: { api: ApiDetails; text: string }) {
  const save = () => {
    const url = URL.createObjectURL(new Blob([readable(text)], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${api.name}-${api.version}.${api.type === 'GRAPHQL' ? 'graphql' : 'json'}`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <Button size="small" variant="outlined" onClick={save}>
      Download definition
    </Button>
  );
}

/** JSON with line breaks; anything else as it is. */
function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
