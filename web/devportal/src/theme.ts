import { createTheme } from '@mui/material/styles';

// System fonts only: the page loads nothing from elsewhere.
const sans = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
export const mono = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace';

export const theme = createTheme({
  cssVariables: { colorSchemeSelector: 'data-scheme' },
  colorSchemes: {
    light: { palette: { primary: { main: '#0b6270' }, background: { default: '#f5f8f9' } } },
    dark: { palette: { primary: { main: '#6fcfda' }, background: { default: '#0f1618', paper: '#172124' } } },
  },
  shape: { borderRadius: 8 },
  typography: {
    fontFamily: sans,
    h1: { fontSize: '1.9rem', fontWeight: 650, overflowWrap: 'anywhere' },
    h2: { fontSize: '1.2rem', fontWeight: 650 },
    button: { textTransform: 'none' },
  },
  components: {
    // Whoever goes through the page with the keyboard must see where they are; the library's own sign of it is faint.
    MuiButtonBase: { styleOverrides: { root: { '&.Mui-focusVisible': { outline: '2px solid currentColor', outlineOffset: 2 } } } },
    // The card's own surface ends where the card does, so the outline goes inside.
    MuiCardActionArea: { styleOverrides: { root: { '&.Mui-focusVisible': { outlineOffset: -4 } } } },
    MuiPaper: { defaultProps: { variant: 'outlined' } },
    MuiChip: { defaultProps: { size: 'small' } },
    MuiLink: { defaultProps: { underline: 'hover' } },
  },
});
