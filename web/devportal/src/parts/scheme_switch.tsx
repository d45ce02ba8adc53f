import Button from '@mui/material/Button';
import { useColorScheme } from '@mui/material/styles';

/** Light or dark. Until somebody chooses, the system's choice holds; the choice stays in this browser. */
export function SchemeSwitch() {
  const { mode, systemMode, setMode } = useColorScheme();
  const shown = mode === 'system' ? systemMode : mode;
  const other = shown === 'dark' ? 'light' : 'dark';
  return (
    <Button color="inherit" size="small" onClick={() => setMode(other)}>
      {other === 'dark' ? 'Dark' : 'Light'} colours
    </Button>
  );
}
