-- The whole house, first storey.
--
-- Columns hold what is searched, joined, sorted or unique; the open rest of a noun is one JSON text, written and read by db's codec.
-- Times are milliseconds since the Unix epoch, UTC. Ids are UUID text. Names ending in _fold are lower case, for searching.
-- Each unique rule is named table__column__column, so that both databases report a clash with the same words.

CREATE TABLE counter (
    name TEXT COLLATE "C" NOT NULL,
    value BIGINT NOT NULL,
    CONSTRAINT counter__name PRIMARY KEY (name)
);
INSERT INTO counter (name, value) VALUES ('outbox', 0), ('application', 0);

CREATE TABLE fact (
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    CONSTRAINT fact__name PRIMARY KEY (name)
);

CREATE TABLE outbox (
    seq BIGINT NOT NULL,
    thing TEXT COLLATE "C" NOT NULL,
    thing_id TEXT COLLATE "C" NOT NULL,
    CONSTRAINT outbox__seq PRIMARY KEY (seq)
);

CREATE TABLE origin (
    source TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    old_key TEXT COLLATE "C" NOT NULL,
    new_id TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    CONSTRAINT origin__source__kind__old_key PRIMARY KEY (source, kind, old_key)
);

CREATE TABLE tenant (
    id BIGINT NOT NULL,
    domain TEXT COLLATE "C" NOT NULL,
    domain_fold TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT tenant__id PRIMARY KEY (id),
    CONSTRAINT tenant__domain_fold UNIQUE (domain_fold)
);

CREATE TABLE account (
    id TEXT COLLATE "C" NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    store TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    name_fold TEXT COLLATE "C" NOT NULL,
    password_form TEXT COLLATE "C",
    password_hash TEXT COLLATE "C",
    password_salt TEXT COLLATE "C",
    attributes TEXT COLLATE "C" NOT NULL,
    locked BOOLEAN NOT NULL,
    must_change_password BOOLEAN NOT NULL,
    password_changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT account__id PRIMARY KEY (id),
    CONSTRAINT account__tenant__store__name UNIQUE (tenant, store, name)
);
CREATE INDEX account_by_name ON account (tenant, name, store);

CREATE TABLE account_role (
    account TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT account_role__account__role PRIMARY KEY (account, role)
);
CREATE INDEX account_role_by_role ON account_role (role);

CREATE TABLE role (
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    name TEXT COLLATE "C" NOT NULL,
    CONSTRAINT role__tenant__name PRIMARY KEY (tenant, name)
);

CREATE TABLE rest_scope (
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    scope TEXT COLLATE "C" NOT NULL,
    roles TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT rest_scope__tenant__scope PRIMARY KEY (tenant, scope)
);

CREATE TABLE environment (
    name TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    CONSTRAINT environment__name PRIMARY KEY (name)
);

CREATE TABLE policy (
    id TEXT COLLATE "C" NOT NULL,
    family TEXT COLLATE "C" NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    name TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    CONSTRAINT policy__id PRIMARY KEY (id),
    CONSTRAINT policy__family__tenant__name UNIQUE (family, tenant, name)
);

-- Narrow on purpose: a search over ten thousand APIs reads this table and never the bodies.
CREATE TABLE api (
    id TEXT COLLATE "C" NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    provider TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    context TEXT COLLATE "C" NOT NULL,
    context_template TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    access_control TEXT COLLATE "C" NOT NULL,
    enable_store BOOLEAN NOT NULL,
    is_default_version BOOLEAN NOT NULL,
    name_fold TEXT COLLATE "C" NOT NULL,
    provider_fold TEXT COLLATE "C" NOT NULL,
    version_fold TEXT COLLATE "C" NOT NULL,
    context_fold TEXT COLLATE "C" NOT NULL,
    last_revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT api__id PRIMARY KEY (id),
    CONSTRAINT api__tenant__name__version UNIQUE (tenant, name, version),
    CONSTRAINT api__context UNIQUE (context)
);
CREATE INDEX api_by_name ON api (name, provider, version, tenant);
CREATE INDEX api_by_template ON api (context_template);

CREATE TABLE api_body (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    description_fold TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    CONSTRAINT api_body__api PRIMARY KEY (api)
);

-- Short words an API has many of and is looked for by: tags, categories and the roles that see it.
CREATE TABLE api_word (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    fold TEXT COLLATE "C" NOT NULL,
    word TEXT COLLATE "C" NOT NULL,
    CONSTRAINT api_word__api__kind__word PRIMARY KEY (api, kind, word)
);
CREATE INDEX api_word_by_fold ON api_word (kind, fold, api);

-- Additional properties. Their values are too long for an index on PostgreSQL, so a search looks at all of one name.
CREATE TABLE api_property (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    name_fold TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    value_fold TEXT COLLATE "C" NOT NULL,
    CONSTRAINT api_property__api__name_fold PRIMARY KEY (api, name_fold)
);
CREATE INDEX api_property_by_name ON api_property (name_fold);

CREATE TABLE api_definition (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    format TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    CONSTRAINT api_definition__api PRIMARY KEY (api)
);

CREATE TABLE api_scope (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    tenant BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    shared BOOLEAN NOT NULL,
    roles TEXT COLLATE "C" NOT NULL,
    CONSTRAINT api_scope__api__name PRIMARY KEY (api, name)
);
CREATE INDEX api_scope_by_name ON api_scope (tenant, name);

CREATE TABLE shared_scope (
    id TEXT COLLATE "C" NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    name TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    roles TEXT COLLATE "C" NOT NULL,
    CONSTRAINT shared_scope__id PRIMARY KEY (id),
    CONSTRAINT shared_scope__tenant__name UNIQUE (tenant, name)
);

CREATE TABLE revision (
    id TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    description TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    definition_format TEXT COLLATE "C",
    definition TEXT COLLATE "C",
    content TEXT COLLATE "C" NOT NULL,
    CONSTRAINT revision__id PRIMARY KEY (id),
    CONSTRAINT revision__api__number UNIQUE (api, number)
);

-- Which advanced policies an API names, now (holder is the API) or in one of its revisions (holder is the revision).
CREATE TABLE advanced_policy_use (
    holder TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    tenant BIGINT NOT NULL,
    policy TEXT COLLATE "C" NOT NULL,
    CONSTRAINT advanced_policy_use__holder__policy PRIMARY KEY (holder, policy)
);
CREATE INDEX advanced_policy_use_by_policy ON advanced_policy_use (tenant, policy);
CREATE INDEX advanced_policy_use_by_api ON advanced_policy_use (api);

CREATE TABLE deployment (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    environment TEXT COLLATE "C" NOT NULL,
    revision TEXT COLLATE "C" NOT NULL REFERENCES revision (id),
    vhost TEXT COLLATE "C" NOT NULL,
    display_on_portal BOOLEAN NOT NULL,
    deployed_at BIGINT NOT NULL,
    CONSTRAINT deployment__api__environment PRIMARY KEY (api, environment)
);
CREATE INDEX deployment_by_revision ON deployment (revision);

CREATE TABLE lifecycle_event (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    from_state TEXT COLLATE "C",
    to_state TEXT COLLATE "C" NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX lifecycle_event_by_api ON lifecycle_event (api, seq);

CREATE TABLE application (
    id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    owner TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    name_fold TEXT COLLATE "C" NOT NULL,
    policy TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    token_type TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    attributes TEXT COLLATE "C" NOT NULL,
    callback_url TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT application__id PRIMARY KEY (id),
    CONSTRAINT application__number UNIQUE (number),
    CONSTRAINT application__tenant__owner__name UNIQUE (tenant, owner, name)
);
CREATE INDEX application_by_name ON application (tenant, name);
CREATE INDEX application_by_policy ON application (tenant, policy);

CREATE TABLE application_group (
    application TEXT COLLATE "C" NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT application_group__application__name PRIMARY KEY (application, name)
);
CREATE INDEX application_group_by_name ON application_group (name, application);

CREATE TABLE key_mapping (
    id TEXT COLLATE "C" NOT NULL,
    application TEXT COLLATE "C" NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    key_type TEXT COLLATE "C" NOT NULL,
    key_manager TEXT COLLATE "C" NOT NULL,
    consumer_key TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    mode TEXT COLLATE "C" NOT NULL,
    allowed_domains TEXT COLLATE "C" NOT NULL,
    CONSTRAINT key_mapping__id PRIMARY KEY (id),
    CONSTRAINT key_mapping__application__key_type__key_manager UNIQUE (application, key_type, key_manager),
    CONSTRAINT key_mapping__consumer_key UNIQUE (consumer_key)
);

CREATE TABLE subscription (
    id TEXT COLLATE "C" NOT NULL,
    application TEXT COLLATE "C" NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    plan TEXT COLLATE "C" NOT NULL,
    requested_plan TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT subscription__id PRIMARY KEY (id),
    CONSTRAINT subscription__application__api UNIQUE (application, api)
);
CREATE INDEX subscription_by_api ON subscription (api, created_at);
CREATE INDEX subscription_by_application ON subscription (application, created_at);
CREATE INDEX subscription_by_plan ON subscription (plan);
CREATE INDEX subscription_by_requested_plan ON subscription (requested_plan);

CREATE TABLE client (
    id TEXT COLLATE "C" NOT NULL,
    secret BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    origin TEXT COLLATE "C" NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    CONSTRAINT client__id PRIMARY KEY (id)
);
CREATE INDEX client_by_name ON client (tenant, owner, name);

-- A token outlives its client on purpose: a revoked JWT must stay known until it expires.
CREATE TABLE token (
    id TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    tenant BIGINT NOT NULL,
    aut TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    scopes TEXT COLLATE "C" NOT NULL,
    scope_hash TEXT COLLATE "C" NOT NULL,
    grant_type TEXT COLLATE "C",
    access_hash TEXT COLLATE "C",
    access_sealed BYTEA,
    jti TEXT COLLATE "C",
    issued_at BIGINT NOT NULL,
    expires_at BIGINT,
    refresh_hash TEXT COLLATE "C",
    refresh_sealed BYTEA,
    refresh_expires_at BIGINT,
    state TEXT COLLATE "C" NOT NULL,
    ended_at BIGINT,
    CONSTRAINT token__id PRIMARY KEY (id),
    CONSTRAINT token__access_hash UNIQUE (access_hash),
    CONSTRAINT token__jti UNIQUE (jti),
    CONSTRAINT token__refresh_hash UNIQUE (refresh_hash)
);
CREATE INDEX token_by_holder ON token (client, holder, scope_hash, state);
CREATE INDEX token_by_expiry ON token (expires_at);
CREATE INDEX token_by_end ON token (ended_at);

CREATE TABLE signing_key (
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    kid TEXT COLLATE "C" NOT NULL,
    pkcs8 BYTEA NOT NULL,
    certificate BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    active BOOLEAN NOT NULL,
    CONSTRAINT signing_key__tenant__kid PRIMARY KEY (tenant, kid)
);
