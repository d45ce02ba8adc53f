//! Bytes that belong to an API: contents of documents, thumbnail, WSDL, and originals of what was mended. Kept verbatim, each with its name,
//! media type, length and digest. What is listed or looked at never reads the bytes.

use std::collections::HashSet;

use aws_lc_rs::digest;
use model::{ApiId, DocumentId};

use crate::sql::{Row, Sql, args};
use crate::{Error, Result, Tx};

/// Largest file kept, in bytes. SQLite holds values up to 1,000,000,000 bytes and PostgreSQL up to 1 GiB, but a file stands in memory
/// while it is written or answered, so the bound is lower. Whoever writes checks it and says so; nothing is ever cut.
pub const FILE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// What a file is to its API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Content of a document.
    Document(DocumentId),
    /// The picture portals show.
    Thumbnail,
    /// The stored WSDL, or archive of WSDLs.
    Wsdl,
    /// What an old installation held before it was converted or mended, by a name of its own.
    Original(String),
}

impl Place {
    fn text(&self) -> String {
        match self {
            Self::Document(id) => format!("document/{id}"),
            Self::Thumbnail => "thumbnail".to_owned(),
            Self::Wsdl => "wsdl".to_owned(),
            Self::Original(name) => format!("original/{name}"),
        }
    }

    /// Reads what [`Place`] shows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None if text == "thumbnail" => Some(Self::Thumbnail),
            None if text == "wsdl" => Some(Self::Wsdl),
            Some(("document", id)) => id.parse().ok().map(Self::Document),
            Some(("original", name)) => Some(Self::Original(name.to_owned())),
            _ => None,
        }
    }

    fn document(&self) -> Option<DocumentId> {
        match self {
            Self::Document(id) => Some(*id),
            _ => None,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

/// All of a file but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHead {
    /// Of which API.
    pub api: ApiId,
    /// What it is to it.
    pub place: Place,
    /// File name, as it was given.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the bytes as they were written, hexadecimal.
    pub sha256: String,
}

/// Hexadecimal SHA-256, as [`FileHead::sha256`] has it.
pub fn sha256(bytes: &[u8]) -> String {
    crate::seal::hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Writes a file, over one in its place. At most [`FILE_MAX_BYTES`].
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API or document.
pub async fn put(tx: &mut Tx, api: ApiId, place: &Place, name: &str, media_type: &str, bytes: &[u8]) -> Result<()> {
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let sql = "INSERT INTO api_file (api, place, document, name, media_type, size, sha256, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
               ON CONFLICT (api, place) DO UPDATE SET name = excluded.name, media_type = excluded.media_type, size = excluded.size, \
               sha256 = excluded.sha256, bytes = excluded.bytes";
    let values = args![api, place.text(), place.document(), name, media_type, size, sha256(bytes), bytes.to_vec()];
    tx.run(sql, values).await.map(drop)
}

const COLUMNS: &str = "SELECT api, place, name, media_type, size, sha256 FROM api_file";

/// What is known of a file without reading it.
pub async fn find(tx: &mut Tx, api: ApiId, place: &Place) -> Result<Option<FileHead>> {
    let sql = format!("{COLUMNS} WHERE api = $1 AND place = $2");
    tx.row(sql, args![api, place.text()]).await?.as_ref().map(head).transpose()
}

/// A file with its bytes.
pub async fn read(tx: &mut Tx, api: ApiId, place: &Place) -> Result<Option<(FileHead, Vec<u8>)>> {
    let sql = "SELECT * FROM api_file WHERE api = $1 AND place = $2";
    let Some(row) = tx.row(sql, args![api, place.text()]).await? else { return Ok(None) };
    Ok(Some((head(&row)?, row.bytes("bytes")?)))
}

/// An API's files by place.
pub async fn list(tx: &mut Tx, api: ApiId) -> Result<Vec<FileHead>> {
    tx.rows(format!("{COLUMNS} WHERE api = $1 ORDER BY place"), args![api]).await?.iter().map(head).collect()
}

/// Which of these APIs have a thumbnail.
pub async fn with_thumbnail(tx: &mut Tx, apis: &[ApiId]) -> Result<HashSet<ApiId>> {
    let mut found = HashSet::new();
    for some in apis.chunks(crate::sql::rows_per_statement(1)) {
        let mut sql = Sql::new("SELECT api FROM api_file WHERE place = 'thumbnail' AND api IN ");
        sql.list(some.iter().copied());
        for row in tx.rows_sql(sql).await? {
            found.insert(row.id("api")?);
        }
    }
    Ok(found)
}

/// Removes a file; whether it was there.
pub async fn delete(tx: &mut Tx, api: ApiId, place: &Place) -> Result<bool> {
    Ok(tx.run("DELETE FROM api_file WHERE api = $1 AND place = $2", args![api, place.text()]).await? > 0)
}

fn head(row: &Row) -> Result<FileHead> {
    let place = row.text("place")?;
    Ok(FileHead {
        api: row.id("api")?,
        place: Place::parse(&place).ok_or_else(|| Error::corrupt("api_file", "its place is no known word"))?,
        name: row.text("name")?,
        media_type: row.text("media_type")?,
        size: row.count("size")?,
        sha256: row.text("sha256")?,
    })
}
