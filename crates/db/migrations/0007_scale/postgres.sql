-- Room for large installations. PostgreSQL takes in millions of rows with its indexes in place, so they stay as they are.

-- What an old table held when an upgrade last carried it: one sum for each bucket of its keys, so that the next run reads only what changed.
CREATE TABLE source_sum (
    source TEXT COLLATE "C" NOT NULL,
    part TEXT COLLATE "C" NOT NULL,
    recipe TEXT COLLATE "C" NOT NULL,
    sums BYTEA NOT NULL,
    as_of BIGINT NOT NULL,
    CONSTRAINT source_sum__source__part PRIMARY KEY (source, part)
);
