-- Room for large installations.
--
-- Unique rules of the three tables that hold most of a large installation become indexes of the same names. They hold just as well, but
-- unlike a table's own rules they can be laid aside while millions of rows come in, and be built anew in one go afterwards.

CREATE TABLE origin_of_0007 (
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    old_key TEXT NOT NULL,
    new_id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    came TEXT NOT NULL DEFAULT 'NEW',
    run INTEGER,
    step TEXT,
    unused_hash TEXT
) STRICT;
INSERT INTO origin_of_0007 SELECT source, kind, old_key, new_id, content_hash, came, run, step, unused_hash FROM origin;
DROP TABLE origin;
ALTER TABLE origin_of_0007 RENAME TO origin;
CREATE UNIQUE INDEX origin__source__kind__old_key ON origin (source, kind, old_key);

CREATE TABLE subscription_of_0007 (
    id TEXT NOT NULL,
    application TEXT NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    plan TEXT NOT NULL,
    requested_plan TEXT,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO subscription_of_0007 SELECT id, application, api, plan, requested_plan, state, created_at, updated_at FROM subscription;
DROP TABLE subscription;
ALTER TABLE subscription_of_0007 RENAME TO subscription;
CREATE UNIQUE INDEX subscription__id ON subscription (id);
CREATE UNIQUE INDEX subscription__application__api ON subscription (application, api);
CREATE INDEX subscription_by_api ON subscription (api, created_at);
CREATE INDEX subscription_by_application ON subscription (application, created_at);
CREATE INDEX subscription_by_plan ON subscription (plan);
CREATE INDEX subscription_by_requested_plan ON subscription (requested_plan);

CREATE TABLE token_of_0007 (
    id TEXT NOT NULL,
    client TEXT NOT NULL,
    tenant INTEGER NOT NULL,
    aut TEXT NOT NULL,
    holder TEXT NOT NULL,
    scopes TEXT NOT NULL,
    scope_hash TEXT NOT NULL,
    grant_type TEXT,
    access_hash TEXT,
    access_sealed BLOB,
    jti TEXT,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER,
    refresh_hash TEXT,
    refresh_sealed BLOB,
    refresh_expires_at INTEGER,
    state TEXT NOT NULL,
    ended_at INTEGER
) STRICT;
INSERT INTO token_of_0007 SELECT id, client, tenant, aut, holder, scopes, scope_hash, grant_type, access_hash, access_sealed, jti, issued_at,
    expires_at, refresh_hash, refresh_sealed, refresh_expires_at, state, ended_at FROM token;
DROP TABLE token;
ALTER TABLE token_of_0007 RENAME TO token;
CREATE UNIQUE INDEX token__id ON token (id);
CREATE UNIQUE INDEX token__access_hash ON token (access_hash);
CREATE UNIQUE INDEX token__jti ON token (jti);
CREATE UNIQUE INDEX token__refresh_hash ON token (refresh_hash);
CREATE INDEX token_by_holder ON token (client, holder, scope_hash, state);
CREATE INDEX token_by_expiry ON token (expires_at);
CREATE INDEX token_by_end ON token (ended_at);

-- What an old table held when an upgrade last carried it: one sum for each bucket of its keys, so that the next run reads only what changed.
CREATE TABLE source_sum (
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    recipe TEXT NOT NULL,
    sums BLOB NOT NULL,
    as_of INTEGER NOT NULL,
    CONSTRAINT source_sum__source__part PRIMARY KEY (source, part)
) STRICT;
