-- What an upgrade did, so that it can be told, gone on with after an interruption, and taken back.
--
-- A run without an end was interrupted, or is still at work. A batch is one transaction, and its row commits with it: the number is what two
-- processes that write for the same run would clash on.

CREATE TABLE upgrade_run (
    id INTEGER NOT NULL,
    source TEXT NOT NULL,
    command TEXT NOT NULL,
    plan TEXT,
    options TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    resumed INTEGER NOT NULL,
    CONSTRAINT upgrade_run__id PRIMARY KEY (id)
) STRICT;
CREATE INDEX upgrade_run_by_source ON upgrade_run (source, id);

CREATE TABLE upgrade_batch (
    run INTEGER NOT NULL REFERENCES upgrade_run (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    added INTEGER NOT NULL,
    replaced INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    first_key TEXT NOT NULL,
    last_key TEXT NOT NULL,
    at INTEGER NOT NULL,
    CONSTRAINT upgrade_batch__run__number PRIMARY KEY (run, number)
) STRICT;

-- Defaults that carried records took the place of and that nobody could make again; sealed.
CREATE TABLE upgrade_aside (
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    old_key TEXT NOT NULL,
    body BLOB NOT NULL,
    CONSTRAINT upgrade_aside__source__kind__old_key PRIMARY KEY (source, kind, old_key)
) STRICT;

-- How a record came to be here (NEW or REPLACED), which run wrote it last and how, and the hash of what mere use does not change.
ALTER TABLE origin ADD COLUMN came TEXT NOT NULL DEFAULT 'NEW';
ALTER TABLE origin ADD COLUMN run INTEGER;
ALTER TABLE origin ADD COLUMN step TEXT;
ALTER TABLE origin ADD COLUMN unused_hash TEXT;
