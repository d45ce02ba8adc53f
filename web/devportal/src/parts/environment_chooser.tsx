import MenuItem from '@mui/material/MenuItem';
import TextField from '@mui/material/TextField';
import type { EnvironmentUrls } from '../api/types';

/** Which gateway; nothing where there is no choice. */
export function EnvironmentChooser(words: {
  environments: EnvironmentUrls[];
  chosen: string | undefined;
  choose: (name: string) => void;
}) {
  const { environments, chosen, choose } = words;
  if (environments.length < 2) return null;
  return (
    <TextField select size="small" label="Environment" value={chosen ?? ''} onChange={(event) => choose(event.target.value)}>
      {environments.map(({ environmentName, environmentDisplayName }) => (
        <MenuItem key={environmentName} value={environmentName}>
          {environmentDisplayName || environmentName}
        </MenuItem>
      ))}
    </TextField>
  );
}
