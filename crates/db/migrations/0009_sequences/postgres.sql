-- Mediation sequences, and the local entries and endpoints they refer to. `flow` and `api` are empty, not null, so that the key holds.
CREATE TABLE sequence (
    id TEXT COLLATE "C" NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    place TEXT COLLATE "C" NOT NULL,
    flow TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    file TEXT COLLATE "C" NOT NULL,
    content BYTEA NOT NULL,
    additions BYTEA,
    CONSTRAINT sequence__id PRIMARY KEY (id),
    CONSTRAINT sequence__tenant__place__flow__api__file UNIQUE (tenant, place, flow, api, file)
);
CREATE INDEX sequence_by_api ON sequence (api);
