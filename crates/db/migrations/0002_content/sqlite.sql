-- What belongs to an API beside its record: documents, files, comments, ratings.

CREATE TABLE document (
    id TEXT NOT NULL,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    other_kind TEXT,
    summary TEXT,
    source TEXT NOT NULL,
    source_url TEXT,
    file_name TEXT,
    visibility TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT document__id PRIMARY KEY (id)
) STRICT;
CREATE INDEX document_by_api ON document (api, name);

-- Bytes that belong to an API, each at its place: 'thumbnail', 'wsdl', 'document/<id>', 'original/<name>'. They stand last and are read
-- only when they are asked for.
CREATE TABLE api_file (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    place TEXT NOT NULL,
    document TEXT REFERENCES document (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BLOB NOT NULL,
    CONSTRAINT api_file__api__place PRIMARY KEY (api, place)
) STRICT;
CREATE INDEX api_file_by_document ON api_file (document);

CREATE TABLE comment (
    id TEXT NOT NULL,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    parent TEXT REFERENCES comment (id) ON DELETE CASCADE,
    words TEXT NOT NULL,
    category TEXT NOT NULL,
    in_publisher INTEGER NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    CONSTRAINT comment__id PRIMARY KEY (id)
) STRICT;
CREATE INDEX comment_by_api ON comment (api, created_at);
CREATE INDEX comment_by_parent ON comment (parent);

CREATE TABLE rating (
    id TEXT NOT NULL,
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    who TEXT NOT NULL,
    stars INTEGER NOT NULL,
    CONSTRAINT rating__id PRIMARY KEY (id),
    CONSTRAINT rating__api__who UNIQUE (api, who)
) STRICT;
