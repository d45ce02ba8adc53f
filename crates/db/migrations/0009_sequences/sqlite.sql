-- Mediation sequences, and the local entries and endpoints they refer to. `flow` and `api` are empty, not null, so that the key holds.
CREATE TABLE sequence (
    id TEXT NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    place TEXT NOT NULL,
    flow TEXT NOT NULL,
    api TEXT NOT NULL,
    name TEXT NOT NULL,
    file TEXT NOT NULL,
    content BLOB NOT NULL,
    additions BLOB,
    CONSTRAINT sequence__id PRIMARY KEY (id),
    CONSTRAINT sequence__tenant__place__flow__api__file UNIQUE (tenant, place, flow, api, file)
) STRICT;
CREATE INDEX sequence_by_api ON sequence (api);
