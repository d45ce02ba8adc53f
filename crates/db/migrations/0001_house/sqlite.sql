-- The whole house, first storey.
--
-- Columns hold what is searched, joined, sorted or unique; the open rest of a noun is one JSON text, written and read by db's codec.
-- Times are milliseconds since the Unix epoch, UTC. Ids are UUID text. Names ending in _fold are lower case, for searching.
-- Each unique rule is named table__column__column, so that both databases report a clash with the same words.

CREATE TABLE counter (
    name TEXT NOT NULL,
    value INTEGER NOT NULL,
    CONSTRAINT counter__name PRIMARY KEY (name)
) STRICT;
INSERT INTO counter (name, value) VALUES ('outbox', 0), ('application', 0);

CREATE TABLE fact (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT fact__name PRIMARY KEY (name)
) STRICT;

CREATE TABLE outbox (
    seq INTEGER NOT NULL,
    thing TEXT NOT NULL,
    thing_id TEXT NOT NULL,
    CONSTRAINT outbox__seq PRIMARY KEY (seq)
) STRICT;

CREATE TABLE origin (
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    old_key TEXT NOT NULL,
    new_id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    CONSTRAINT origin__source__kind__old_key PRIMARY KEY (source, kind, old_key)
) STRICT;

CREATE TABLE tenant (
    id INTEGER NOT NULL,
    domain TEXT NOT NULL,
    domain_fold TEXT NOT NULL,
    email TEXT,
    active INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT tenant__id PRIMARY KEY (id),
    CONSTRAINT tenant__domain_fold UNIQUE (domain_fold)
) STRICT;

CREATE TABLE account (
    id TEXT NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    store TEXT NOT NULL,
    name TEXT NOT NULL,
    name_fold TEXT NOT NULL,
    password_form TEXT,
    password_hash TEXT,
    password_salt TEXT,
    attributes TEXT NOT NULL,
    locked INTEGER NOT NULL,
    must_change_password INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT account__id PRIMARY KEY (id),
    CONSTRAINT account__tenant__store__name UNIQUE (tenant, store, name)
) STRICT;
CREATE INDEX account_by_name ON account (tenant, name, store);

CREATE TABLE account_role (
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT account_role__account__role PRIMARY KEY (account, role)
) STRICT;
CREATE INDEX account_role_by_role ON account_role (role);

CREATE TABLE role (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    CONSTRAINT role__tenant__name PRIMARY KEY (tenant, name)
) STRICT;

CREATE TABLE rest_scope (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    scope TEXT NOT NULL,
    roles TEXT NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT rest_scope__tenant__scope PRIMARY KEY (tenant, scope)
) STRICT;

CREATE TABLE environment (
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT environment__name PRIMARY KEY (name)
) STRICT;

CREATE TABLE policy (
    id TEXT NOT NULL,
    family TEXT NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT policy__id PRIMARY KEY (id),
    CONSTRAINT policy__family__tenant__name UNIQUE (family, tenant, name)
) STRICT;

-- Narrow on purpose: a search over ten thousand APIs reads this table and never the bodies.
CREATE TABLE api (
    id TEXT NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    context TEXT NOT NULL,
    context_template TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    visibility TEXT NOT NULL,
    access_control TEXT NOT NULL,
    enable_store INTEGER NOT NULL,
    is_default_version INTEGER NOT NULL,
    name_fold TEXT NOT NULL,
    provider_fold TEXT NOT NULL,
    version_fold TEXT NOT NULL,
    context_fold TEXT NOT NULL,
    last_revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT api__id PRIMARY KEY (id),
    CONSTRAINT api__tenant__name__version UNIQUE (tenant, name, version),
    CONSTRAINT api__context UNIQUE (context)
) STRICT;
CREATE INDEX api_by_name ON api (name, provider, version, tenant);
CREATE INDEX api_by_template ON api (context_template);

CREATE TABLE api_body (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    description_fold TEXT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT api_body__api PRIMARY KEY (api)
) STRICT;

-- Short words an API has many of and is looked for by: tags, categories and the roles that see it.
CREATE TABLE api_word (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    fold TEXT NOT NULL,
    word TEXT NOT NULL,
    CONSTRAINT api_word__api__kind__word PRIMARY KEY (api, kind, word)
) STRICT;
CREATE INDEX api_word_by_fold ON api_word (kind, fold, api);

-- Additional properties. Their values are too long for an index on PostgreSQL, so a search looks at all of one name.
CREATE TABLE api_property (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    name_fold TEXT NOT NULL,
    value TEXT NOT NULL,
    value_fold TEXT NOT NULL,
    CONSTRAINT api_property__api__name_fold PRIMARY KEY (api, name_fold)
) STRICT;
CREATE INDEX api_property_by_name ON api_property (name_fold);

CREATE TABLE api_definition (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    format TEXT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT api_definition__api PRIMARY KEY (api)
) STRICT;

CREATE TABLE api_scope (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    shared INTEGER NOT NULL,
    roles TEXT NOT NULL,
    CONSTRAINT api_scope__api__name PRIMARY KEY (api, name)
) STRICT;
CREATE INDEX api_scope_by_name ON api_scope (tenant, name);

CREATE TABLE shared_scope (
    id TEXT NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT,
    roles TEXT NOT NULL,
    CONSTRAINT shared_scope__id PRIMARY KEY (id),
    CONSTRAINT shared_scope__tenant__name UNIQUE (tenant, name)
) STRICT;

CREATE TABLE revision (
    id TEXT NOT NULL,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    description TEXT,
    created_at INTEGER NOT NULL,
    definition_format TEXT,
    definition TEXT,
    content TEXT NOT NULL,
    CONSTRAINT revision__id PRIMARY KEY (id),
    CONSTRAINT revision__api__number UNIQUE (api, number)
) STRICT;

-- Which advanced policies an API names, now (holder is the API) or in one of its revisions (holder is the revision).
CREATE TABLE advanced_policy_use (
    holder TEXT NOT NULL,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    tenant INTEGER NOT NULL,
    policy TEXT NOT NULL,
    CONSTRAINT advanced_policy_use__holder__policy PRIMARY KEY (holder, policy)
) STRICT;
CREATE INDEX advanced_policy_use_by_policy ON advanced_policy_use (tenant, policy);
CREATE INDEX advanced_policy_use_by_api ON advanced_policy_use (api);

CREATE TABLE deployment (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    environment TEXT NOT NULL,
    revision TEXT NOT NULL REFERENCES revision (id),
    vhost TEXT NOT NULL,
    display_on_portal INTEGER NOT NULL,
    deployed_at INTEGER NOT NULL,
    CONSTRAINT deployment__api__environment PRIMARY KEY (api, environment)
) STRICT;
CREATE INDEX deployment_by_revision ON deployment (revision);

CREATE TABLE lifecycle_event (
    seq INTEGER PRIMARY KEY,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    from_state TEXT,
    to_state TEXT NOT NULL,
    who TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX lifecycle_event_by_api ON lifecycle_event (api, seq);

CREATE TABLE application (
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    name_fold TEXT NOT NULL,
    policy TEXT NOT NULL,
    description TEXT,
    token_type TEXT NOT NULL,
    status TEXT NOT NULL,
    attributes TEXT NOT NULL,
    callback_url TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT application__id PRIMARY KEY (id),
    CONSTRAINT application__number UNIQUE (number),
    CONSTRAINT application__tenant__owner__name UNIQUE (tenant, owner, name)
) STRICT;
CREATE INDEX application_by_name ON application (tenant, name);
CREATE INDEX application_by_policy ON application (tenant, policy);

CREATE TABLE application_group (
    application TEXT NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT application_group__application__name PRIMARY KEY (application, name)
) STRICT;
CREATE INDEX application_group_by_name ON application_group (name, application);

CREATE TABLE key_mapping (
    id TEXT NOT NULL,
    application TEXT NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    key_type TEXT NOT NULL,
    key_manager TEXT NOT NULL,
    consumer_key TEXT,
    state TEXT NOT NULL,
    mode TEXT NOT NULL,
    allowed_domains TEXT NOT NULL,
    CONSTRAINT key_mapping__id PRIMARY KEY (id),
    CONSTRAINT key_mapping__application__key_type__key_manager UNIQUE (application, key_type, key_manager),
    CONSTRAINT key_mapping__consumer_key UNIQUE (consumer_key)
) STRICT;

CREATE TABLE subscription (
    id TEXT NOT NULL,
    application TEXT NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    plan TEXT NOT NULL,
    requested_plan TEXT,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT subscription__id PRIMARY KEY (id),
    CONSTRAINT subscription__application__api UNIQUE (application, api)
) STRICT;
CREATE INDEX subscription_by_api ON subscription (api, created_at);
CREATE INDEX subscription_by_application ON subscription (application, created_at);
CREATE INDEX subscription_by_plan ON subscription (plan);
CREATE INDEX subscription_by_requested_plan ON subscription (requested_plan);

CREATE TABLE client (
    id TEXT NOT NULL,
    secret BLOB NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    origin TEXT NOT NULL,
    active INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT client__id PRIMARY KEY (id)
) STRICT;
CREATE INDEX client_by_name ON client (tenant, owner, name);

-- A token outlives its client on purpose: a revoked JWT must stay known until it expires.
CREATE TABLE token (
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
    ended_at INTEGER,
    CONSTRAINT token__id PRIMARY KEY (id),
    CONSTRAINT token__access_hash UNIQUE (access_hash),
    CONSTRAINT token__jti UNIQUE (jti),
    CONSTRAINT token__refresh_hash UNIQUE (refresh_hash)
) STRICT;
CREATE INDEX token_by_holder ON token (client, holder, scope_hash, state);
CREATE INDEX token_by_expiry ON token (expires_at);
CREATE INDEX token_by_end ON token (ended_at);

CREATE TABLE signing_key (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    kid TEXT NOT NULL,
    pkcs8 BLOB NOT NULL,
    certificate BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    active INTEGER NOT NULL,
    CONSTRAINT signing_key__tenant__kid PRIMARY KEY (tenant, kid)
) STRICT;
