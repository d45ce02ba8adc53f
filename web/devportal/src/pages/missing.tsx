import Link from '@mui/material/Link';
import Typography from '@mui/material/Typography';
import { Link as RouterLink } from 'react-router-dom';
import { Title } from '../parts/title';

export function Missing({ what }: { what: string }) {
  return (
    <>
      <Title name="Not found" />
      <Typography sx={{ my: 2 }}>
        {what} is not here. It may have been retired, or it is shown only to people who have signed in.
      </Typography>
      <Link component={RouterLink} to="/apis">
        All APIs
      </Link>
    </>
  );
}
