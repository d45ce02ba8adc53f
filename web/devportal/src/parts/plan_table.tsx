import Paper from '@mui/material/Paper';
import Skeleton from '@mui/material/Skeleton';
import Table from '@mui/material/Table';
import TableBody from '@mui/material/TableBody';
import TableCell from '@mui/material/TableCell';
import TableContainer from '@mui/material/TableContainer';
import TableHead from '@mui/material/TableHead';
import TableRow from '@mui/material/TableRow';
import Typography from '@mui/material/Typography';
import * as client from '../api/client';
import type { ApiDetails } from '../api/types';
import { limit } from '../rules/limit';
import { useLoad } from '../use_load';
import { Failed } from './failed';

/** What a subscription may cost and allow. */
export function PlanTable({ api }: { api: ApiDetails }) {
  const [found, again] = useLoad(api.id, (signal) => client.plans(api.id, signal));
  if (found.state === 'loading') return <Skeleton variant="rounded" height={90} />;
  if (found.state === 'failed') return <Failed why={found.why} again={again} />;
  if (found.value.length === 0) return <Typography>There is no plan to subscribe with that visitors may choose.</Typography>;
  return (
    <TableContainer component={Paper}>
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell>Plan</TableCell>
            <TableCell>Limit</TableCell>
            <TableCell>Price</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {found.value.map((plan) => (
            <TableRow key={plan.name} sx={{ '&:last-child > *': { borderBottom: 0 } }}>
              <TableCell component="th" scope="row">
                {plan.name}
                {plan.description && (
                  <Typography variant="body2" color="text.secondary">
                    {plan.description}
                  </Typography>
                )}
              </TableCell>
              <TableCell>{limit(plan)}</TableCell>
              <TableCell>{plan.tierPlan === 'COMMERCIAL' ? 'Paid' : 'Free'}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}
