import Box from '@mui/material/Box';
import Chip from '@mui/material/Chip';
import Link from '@mui/material/Link';
import type { ReactNode } from 'react';
import { Link as RouterLink } from 'react-router-dom';
import type { ApiDetails, EnvironmentUrls } from '../api/types';
import { mono } from '../theme';

/** The API's data sheet. A fact that is not known has no line. */
export function Facts({ api }: { api: ApiDetails }) {
  const { businessInformation: people, advertiseInfo: original } = api;
  return (
    <Box
      component="dl"
      sx={{ display: 'grid', gridTemplateColumns: { sm: 'max-content 1fr' }, columnGap: 3, rowGap: { xs: 0, sm: 1 }, mt: 3, mb: 0 }}
    >
      <Fact name="Context">
        <Code>{api.context}</Code>
      </Fact>
      <Fact name="Provider">{api.provider}</Fact>
      {api.tags.length > 0 && (
        <Fact name="Tags">
          <Box sx={{ display: 'flex', flexWrap: 'wrap', gap: 1 }}>
            {api.tags.map((tag) => (
              <Chip key={tag} label={tag} component={RouterLink} to={`/apis?${new URLSearchParams({ tag })}`} clickable variant="outlined" />
            ))}
          </Box>
        </Fact>
      )}
      {people.businessOwner && (
        <Fact name="Business owner">
          <Person name={people.businessOwner} mail={people.businessOwnerEmail} />
        </Fact>
      )}
      {people.technicalOwner && (
        <Fact name="Technical owner">
          <Person name={people.technicalOwner} mail={people.technicalOwnerEmail} />
        </Fact>
      )}
      {original.advertised && isWebAddress(original.originalDevPortalUrl) && (
        <Fact name="Original portal">
          <Link href={original.originalDevPortalUrl} rel="noreferrer">
            {original.originalDevPortalUrl}
          </Link>
        </Fact>
      )}
      {api.endpointURLs.map((environment) => (
        <Fact key={environment.environmentName} name={`Addresses, ${environment.environmentDisplayName || environment.environmentName}`}>
          {addresses(environment).map((url) => (
            <div key={url}>
              <Code>{url}</Code>
            </div>
          ))}
        </Fact>
      ))}
    </Box>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <Box component="dt" sx={{ color: 'text.secondary', fontSize: { xs: '0.85rem', sm: '1rem' } }}>
        {name}
      </Box>
      <Box component="dd" sx={{ m: 0, mb: { xs: 1.5, sm: 0 }, minWidth: 0, overflowWrap: 'anywhere' }}>
        {children}
      </Box>
    </>
  );
}

function Person({ name, mail }: { name: string; mail: string | null }) {
  return mail ? <Link href={`mailto:${encodeURIComponent(mail).replaceAll('%40', '@')}`}>{name}</Link> : name;
}

function Code({ children }: { children: ReactNode }) {
  return (
    <Box component="code" sx={{ fontFamily: mono, fontSize: '0.9em' }}>
      {children}
    </Box>
  );
}

/** Versioned first, then the ones that always lead to the default version. */
function addresses({ URLs, defaultVersionURLs }: EnvironmentUrls): string[] {
  return [URLs, defaultVersionURLs].flatMap(({ https, http, wss, ws }) => [https, http, wss, ws]).filter((url) => url !== null);
}

/** A publisher may write anything here; a link may lead to a web page only. */
function isWebAddress(text: string | null): text is string {
  return text !== null && /^https?:\/\//i.test(text);
}
