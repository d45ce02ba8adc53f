import Box from '@mui/material/Box';
import Container from '@mui/material/Container';
import Link from '@mui/material/Link';
import Typography from '@mui/material/Typography';
import { Navigate, Link as RouterLink, Route, Routes } from 'react-router-dom';
import { ApiPage } from './pages/api';
import { Browse } from './pages/browse';
import { Missing } from './pages/missing';
import { SchemeSwitch } from './parts/scheme_switch';
import { Shielded } from './parts/shielded';

/** The frame around every page, and which page is at which address. The addresses are those of 4.0.0, so that bookmarks live on. */
export function App() {
  return (
    <>
      <SkipLink />
      <Box component="header" sx={{ bgcolor: 'background.paper', borderBottom: 1, borderColor: 'divider' }}>
        <Container maxWidth="lg" sx={{ display: 'flex', alignItems: 'center', gap: 2, py: 1 }}>
          <Link component={RouterLink} to="/apis" color="inherit" sx={{ fontWeight: 650, mr: 'auto' }}>
            Developer portal
          </Link>
          <SchemeSwitch />
        </Container>
      </Box>
      <Container component="main" id="content" tabIndex={-1} maxWidth="lg" sx={{ py: { xs: 3, md: 4 }, outline: 'none' }}>
        <Shielded>
          <Routes>
            <Route index element={<Navigate to="/apis" replace />} />
            <Route path="apis" element={<Browse />} />
            <Route path="apis/:id/*" element={<ApiPage />} />
            <Route path="*" element={<Missing what="This page" />} />
          </Routes>
        </Shielded>
      </Container>
      <Container component="footer" maxWidth="lg" sx={{ pb: 4 }}>
        <Typography variant="body2" color="text.secondary">
          Tidegate
        </Typography>
      </Container>
    </>
  );
}

/** Seen only by who comes to it with the keyboard. */
function SkipLink() {
  return (
    <Link
      href="#content"
      sx={{ position: 'absolute', left: 8, top: -100, zIndex: 1, p: 1, bgcolor: 'background.paper', '&:focus': { top: 8 } }}
    >
      Skip to content
    </Link>
  );
}
