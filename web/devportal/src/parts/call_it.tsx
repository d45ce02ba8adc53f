import MenuItem from '@mui/material/MenuItem';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useState } from 'react';
import type { ApiDetails, EnvironmentUrls } from '../api/types';
import { call, graphqlCall, token } from '../rules/curl';
import type { Operation } from '../rules/operations';
import { Command } from './command';

/** Operations that the chooser offers; it is a way to start, not a catalogue. */
const OFFERED = 200;

interface Words {
  api: ApiDetails;
  environment: EnvironmentUrls | undefined;
  operations: Operation[];
}

/** From nothing to an answer: a token, then a call. */
export function CallIt({ api, environment, operations }: Words) {
  const [at, setAt] = useState<string>();
  const base = environment?.URLs.https ?? environment?.URLs.http;
  if (environment === undefined) return <Typography>It is not deployed to any gateway, so it cannot be called now.</Typography>;
  if (!base) return <Typography>It is no HTTP API; the addresses above are for a client of its own protocol.</Typography>;
  const operation = operations.find((one) => key(one) === at) ?? operations.find((one) => one.verb === 'GET') ?? operations[0];
  if (api.type === 'GRAPHQL') {
    return (
      <Stack spacing={2}>
        <TokenStep scopes={[]} />
        <Step words="Call it with that token." name="Call" text={graphqlCall(base, api.authorizationHeader)} />
      </Stack>
    );
  }
  if (operation === undefined) return <Typography>It has no operations.</Typography>;
  const isOpen = operation.token === 'none';
  return (
    <Stack spacing={2}>
      {operations.length > 1 && (
        <TextField select size="small" label="Operation" value={key(operation)} onChange={(event) => setAt(event.target.value)} sx={{ maxWidth: 480 }}>
          {operations.slice(0, OFFERED).map((one) => (
            <MenuItem key={key(one)} value={key(one)} sx={{ whiteSpace: 'normal', overflowWrap: 'anywhere' }}>
              {key(one)}
            </MenuItem>
          ))}
        </TextField>
      )}
      {!isOpen && <TokenStep scopes={operation.scopes} />}
      <Step
        words={isOpen ? 'This operation needs no token.' : 'Call it with that token. What is in capitals is yours to fill in.'}
        name="Call"
        text={call(base, operation, api.authorizationHeader)}
      />
    </Stack>
  );
}

function TokenStep({ scopes }: { scopes: string[] }) {
  return (
    <Step
      words="Get a token with the consumer key and secret of an application that has subscribed to this API. Applications, their keys and subscriptions are made over the REST interface for now: this portal cannot sign anybody in yet."
      name="Token"
      text={token(`${window.location.origin}/oauth2/token`, scopes)}
    />
  );
}

function Step({ words, name, text }: { words: string; name: string; text: string }) {
  return (
    <div>
      <Typography sx={{ mb: 1, maxWidth: '80ch' }}>{words}</Typography>
      <Command name={name} text={text} />
    </div>
  );
}

const key = (operation: Operation) => `${operation.verb} ${operation.path}`;
