-- What belongs to an API beside its record: documents, files, comments, ratings.

CREATE TABLE document (
    id TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    other_kind TEXT COLLATE "C",
    summary TEXT COLLATE "C",
    source TEXT COLLATE "C" NOT NULL,
    source_url TEXT COLLATE "C",
    file_name TEXT COLLATE "C",
    visibility TEXT COLLATE "C" NOT NULL,
    author TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT document__id PRIMARY KEY (id)
);
CREATE INDEX document_by_api ON document (api, name);

-- Bytes that belong to an API, each at its place: 'thumbnail', 'wsdl', 'document/<id>', 'original/<name>'. They stand last and are read
-- only when they are asked for.
CREATE TABLE api_file (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    place TEXT COLLATE "C" NOT NULL,
    document TEXT COLLATE "C" REFERENCES document (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    media_type TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    bytes BYTEA NOT NULL,
    CONSTRAINT api_file__api__place PRIMARY KEY (api, place)
);
CREATE INDEX api_file_by_document ON api_file (document);

CREATE TABLE comment (
    id TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    parent TEXT COLLATE "C" REFERENCES comment (id) ON DELETE CASCADE,
    words TEXT COLLATE "C" NOT NULL,
    category TEXT COLLATE "C" NOT NULL,
    in_publisher BOOLEAN NOT NULL,
    author TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    CONSTRAINT comment__id PRIMARY KEY (id)
);
CREATE INDEX comment_by_api ON comment (api, created_at);
CREATE INDEX comment_by_parent ON comment (parent);

CREATE TABLE rating (
    id TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    who TEXT COLLATE "C" NOT NULL,
    stars BIGINT NOT NULL,
    CONSTRAINT rating__id PRIMARY KEY (id),
    CONSTRAINT rating__api__who UNIQUE (api, who)
);
