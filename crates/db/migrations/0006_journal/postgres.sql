-- What an upgrade did, so that it can be told, gone on with after an interruption, and taken back.
--
-- A run without an end was interrupted, or is still at work. A batch is one transaction, and its row commits with it: the number is what two
-- processes that write for the same run would clash on.

CREATE TABLE upgrade_run (
    id BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    command TEXT COLLATE "C" NOT NULL,
    plan TEXT COLLATE "C",
    options TEXT COLLATE "C" NOT NULL,
    as_of BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    outcome TEXT COLLATE "C",
    resumed BIGINT NOT NULL,
    CONSTRAINT upgrade_run__id PRIMARY KEY (id)
);
CREATE INDEX upgrade_run_by_source ON upgrade_run (source, id);

CREATE TABLE upgrade_batch (
    run BIGINT NOT NULL REFERENCES upgrade_run (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    added BIGINT NOT NULL,
    replaced BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    first_key TEXT COLLATE "C" NOT NULL,
    last_key TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT upgrade_batch__run__number PRIMARY KEY (run, number)
);

-- Defaults that carried records took the place of and that nobody could make again; sealed.
CREATE TABLE upgrade_aside (
    source TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    old_key TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    CONSTRAINT upgrade_aside__source__kind__old_key PRIMARY KEY (source, kind, old_key)
);

-- How a record came to be here (NEW or REPLACED), which run wrote it last and how, and the hash of what mere use does not change.
ALTER TABLE origin ADD COLUMN came TEXT COLLATE "C" NOT NULL DEFAULT 'NEW';
ALTER TABLE origin ADD COLUMN run BIGINT;
ALTER TABLE origin ADD COLUMN step TEXT COLLATE "C";
ALTER TABLE origin ADD COLUMN unused_hash TEXT COLLATE "C";
