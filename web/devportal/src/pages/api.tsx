import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Chip from '@mui/material/Chip';
import Link from '@mui/material/Link';
import Skeleton from '@mui/material/Skeleton';
import Typography from '@mui/material/Typography';
import { useState } from 'react';
import { Link as RouterLink, useParams } from 'react-router-dom';
import * as client from '../api/client';
import { Refused } from '../api/client';
import type { ApiDetails } from '../api/types';
import { CallIt } from '../parts/call_it';
import { Download } from '../parts/download';
import { EnvironmentChooser } from '../parts/environment_chooser';
import { Facts } from '../parts/facts';
import { Failed } from '../parts/failed';
import { KindChip } from '../parts/kind_chip';
import { OperationList } from '../parts/operation_list';
import { PlanTable } from '../parts/plan_table';
import { Section } from '../parts/section';
import { StateChip } from '../parts/state_chip';
import { Title } from '../parts/title';
import { bare, operations } from '../rules/operations';
import { useLoad } from '../use_load';
import { Missing } from './missing';

/** One API: what it is, where it is, how to call it, what it can do. */
export function ApiPage() {
  const { id = '' } = useParams();
  const [found, again] = useLoad(id, (signal) => client.api(id, signal));
  if (found.state === 'loading') return <Loading />;
  if (found.state === 'ready') return <Shown key={id} api={found.value} />;
  if (found.why instanceof Refused && found.why.status === 404) return <Missing what="This API" />;
  return <Failed why={found.why} again={again} />;
}

function Shown({ api }: { api: ApiDetails }) {
  const [chosen, setChosen] = useState(api.endpointURLs[0]?.environmentName);
  const environment = api.endpointURLs.find((one) => one.environmentName === chosen);
  const [definition, again] = useLoad(chosen ?? '', (signal) => client.definition(api, chosen, signal));
  const text = definition.state === 'ready' ? definition.value : '';
  // What is no OpenAPI (GraphQL, WSDL) still has operations that the publisher knows of.
  const known = operations(text) ?? api.operations.map(({ verb, target }) => bare(verb, target));
  return (
    <>
      <Head api={api} />
      <Facts api={api} />
      <Section
        title="Call it"
        aside={<EnvironmentChooser environments={api.endpointURLs} chosen={chosen} choose={setChosen} />}
      >
        <CallIt api={api} environment={environment} operations={known} />
      </Section>
      <Section title="Operations" aside={text !== '' && <Download api={api} text={text} />}>
        {definition.state === 'failed' && <Failed why={definition.why} again={again} />}
        {definition.state === 'loading' ? <Skeleton variant="rounded" height={160} /> : <OperationList operations={known} names={scopeNames(api)} />}
      </Section>
      <Section title="Plans">
        <PlanTable api={api} />
      </Section>
    </>
  );
}

function Head({ api }: { api: ApiDetails }) {
  return (
    <>
      <Link component={RouterLink} to="/apis" variant="body2">
        All APIs
      </Link>
      <Box sx={{ display: 'flex', flexWrap: 'wrap', alignItems: 'center', columnGap: 1.5, rowGap: 1, mt: 1 }}>
        <Title name={`${api.name} ${api.version}`}>{api.name}</Title>
        <Chip label={api.version} size="medium" />
        <KindChip kind={api.type} />
        <StateChip state={api.lifeCycleStatus} />
      </Box>
      {api.lifeCycleStatus === 'DEPRECATED' && (
        <Alert severity="warning" variant="outlined" sx={{ mt: 2 }}>
          This version still answers, but nobody can subscribe to it any more. Look for a newer one.
        </Alert>
      )}
      {api.description && (
        <Typography sx={{ mt: 1.5, maxWidth: '70ch', whiteSpace: 'pre-line', overflowWrap: 'anywhere' }}>{api.description}</Typography>
      )}
    </>
  );
}

function Loading() {
  return (
    <Box aria-busy="true" aria-label="Loading">
      <Skeleton width={240} height={48} />
      <Skeleton width="60%" />
      <Skeleton variant="rounded" height={180} sx={{ mt: 4 }} />
    </Box>
  );
}

/** What the publisher says of each scope. */
function scopeNames(api: ApiDetails): Map<string, string> {
  return new Map(api.scopes.map(({ key, name, description }) => [key, [name, description].filter(Boolean).join(': ')]));
}

