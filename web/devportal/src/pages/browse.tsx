import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Pagination from '@mui/material/Pagination';
import PaginationItem from '@mui/material/PaginationItem';
import Skeleton from '@mui/material/Skeleton';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { Link as RouterLink, useSearchParams } from 'react-router-dom';
import * as client from '../api/client';
import type { FoundApi, Page } from '../api/types';
import { ApiCard } from '../parts/api_card';
import { Failed } from '../parts/failed';
import { TagChooser } from '../parts/tag_chooser';
import { Title } from '../parts/title';
import { query } from '../rules/query';
import { type Load, useLoad } from '../use_load';

const PAGE_SIZE = 24;

/** What is looked for is in the address, so that it can be kept and sent on. */
interface Asked {
  words: string;
  tag: string;
  /** From 1. */
  page: number;
}

/** All that is offered, by words, tag and page. */
export function Browse() {
  const [params, setParams] = useSearchParams();
  const asked = read(params);
  const text = query(asked.words, asked.tag);
  const [found, again] = useLoad(`${asked.page} ${text}`, (signal) =>
    client.search(text, PAGE_SIZE, (asked.page - 1) * PAGE_SIZE, signal),
  );
  const look = (change: Partial<Asked>) => setParams(written({ ...asked, page: 1, ...change }));
  return (
    <>
      <Title name="APIs" />
      <SearchForm words={asked.words} look={(words) => look({ words })} />
      <TagChooser chosen={asked.tag} choose={(tag) => look({ tag })} />
      <Found found={found} again={again} asked={asked} everything={() => setParams({})} />
    </>
  );
}

function SearchForm({ words, look }: { words: string; look: (words: string) => void }) {
  const [typed, setTyped] = useState(words);
  // The address may change without the form: by going back, by "Show all".
  useEffect(() => setTyped(words), [words]);
  return (
    <Box
      component="form"
      role="search"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        look(typed.trim());
      }}
      sx={{ display: 'flex', gap: 1, mt: 2, mb: 2 }}
    >
      <TextField
        label="Search"
        type="search"
        size="small"
        fullWidth
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        helperText="Name, description, tag, context or provider; or in one place only, as in version:1.0 or provider:admin"
        slotProps={{ htmlInput: { maxLength: 1000 } }}
      />
      <Button type="submit" variant="contained" disableElevation sx={{ alignSelf: 'flex-start', height: 40 }}>
        Search
      </Button>
    </Box>
  );
}

function Found({ found, again, asked, everything }: { found: Load<Page<FoundApi>>; again: () => void; asked: Asked; everything: () => void }) {
  if (found.state === 'failed') return <Failed why={found.why} again={again} />;
  if (found.state === 'loading') return <Loading />;
  const { list, pagination } = found.value;
  const pages = Math.max(1, Math.ceil(pagination.total / PAGE_SIZE));
  return (
    <>
      <Typography role="status" color="text.secondary" sx={{ mb: 2 }}>
        {counted(pagination.total)}
      </Typography>
      {list.length === 0 ? <Nothing asked={asked} everything={everything} /> : <Grid>{list.map(card)}</Grid>}
      {pages > 1 && (
        <Pagination
          count={pages}
          page={asked.page}
          sx={{ mt: 3, '& ul': { justifyContent: 'center' } }}
          renderItem={(item) => (
            <PaginationItem component={RouterLink} to={`/apis?${written({ ...asked, page: item.page ?? 1 })}`} {...item} />
          )}
        />
      )}
    </>
  );
}

function Nothing({ asked, everything }: { asked: Asked; everything: () => void }) {
  if (asked.words === '' && asked.tag === '' && asked.page === 1) {
    return <Typography>Nothing has been published here yet.</Typography>;
  }
  return (
    <>
      <Typography sx={{ mb: 1 }}>Nothing here matches what you look for.</Typography>
      <Button variant="outlined" onClick={everything}>
        Show all APIs
      </Button>
    </>
  );
}

function Loading() {
  return (
    <Box aria-busy="true" aria-label="Loading">
      <Skeleton width={80} sx={{ mb: 2 }} />
      <Grid>
        {[1, 2, 3].map((n) => (
          <Skeleton key={n} variant="rounded" height={150} />
        ))}
      </Grid>
    </Box>
  );
}

function Grid({ children }: { children: ReactNode }) {
  return (
    <Box
      component="ul"
      sx={{ display: 'grid', gap: 2, gridTemplateColumns: 'repeat(auto-fill, minmax(min(320px, 100%), 1fr))', listStyle: 'none', p: 0, m: 0 }}
    >
      {children}
    </Box>
  );
}

const card = (api: FoundApi) => <ApiCard key={api.id} api={api} />;

const counted = (total: number) => (total === 1 ? '1 API' : `${total} APIs`);

function read(params: URLSearchParams): Asked {
  const page = Number.parseInt(params.get('page') ?? '1', 10);
  return { words: params.get('q') ?? '', tag: params.get('tag') ?? '', page: page >= 1 && page <= 1_000_000 ? page : 1 };
}

function written({ words, tag, page }: Asked): URLSearchParams {
  const params = new URLSearchParams();
  if (words !== '') params.set('q', words);
  if (tag !== '') params.set('tag', tag);
  if (page > 1) params.set('page', String(page));
  return params;
}
