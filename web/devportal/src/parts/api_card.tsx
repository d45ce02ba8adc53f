import Box from '@mui/material/Box';
import Card from '@mui/material/Card';
import CardActionArea from '@mui/material/CardActionArea';
import Chip from '@mui/material/Chip';
import Typography from '@mui/material/Typography';
import { Link as RouterLink } from 'react-router-dom';
import type { FoundApi } from '../api/types';
import { mono } from '../theme';
import { KindChip } from './kind_chip';
import { StateChip } from './state_chip';

/** An API in the list; the whole of it is the link. */
export function ApiCard({ api }: { api: FoundApi }) {
  return (
    <Card component="li">
      <CardActionArea
        component={RouterLink}
        to={`/apis/${encodeURIComponent(api.id)}`}
        sx={{ height: '100%', p: 2, display: 'flex', flexDirection: 'column', alignItems: 'stretch', gap: 1 }}
      >
        <Typography component="h2" sx={{ fontSize: '1.05rem', fontWeight: 650, overflowWrap: 'anywhere' }}>
          {api.name}
        </Typography>
        <Box sx={{ display: 'flex', flexWrap: 'wrap', gap: 1 }}>
          <Chip label={api.version} />
          <KindChip kind={api.transportType ?? 'HTTP'} />
          <StateChip state={api.status} />
        </Box>
        <Typography variant="body2" sx={{ display: '-webkit-box', WebkitLineClamp: 3, WebkitBoxOrient: 'vertical', overflow: 'hidden', overflowWrap: 'anywhere' }}>
          {api.description}
        </Typography>
        <Box sx={{ mt: 'auto', color: 'text.secondary', fontSize: '0.8rem' }}>
          <Box sx={{ fontFamily: mono, overflowWrap: 'anywhere' }}>{api.context}</Box>
          by {api.provider}
        </Box>
      </CardActionArea>
    </Card>
  );
}
