-- Callers, APIs and addresses that are refused outright. What is refused is one JSON text, written and read by db's codec.

CREATE TABLE deny_policy (
    id TEXT NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    refused TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    CONSTRAINT deny_policy__id PRIMARY KEY (id),
    CONSTRAINT deny_policy__tenant__kind__refused UNIQUE (tenant, kind, refused)
);
