//! Mediation sequences, and the local entries and endpoints they refer to. Their texts are sealed: authors write passwords into them.

use model::{ApiId, Flow, Secret, SequencePlace, StoredSequence, TenantId};

use crate::outbox::{Thing, changed};
use crate::sql::{Row, Value, args};
use crate::{Error, Result, Sealer, Tx};

const CONTENT: &str = "sequence.content";
const ADDITIONS: &str = "sequence.additions";

/// Adds sequences.
///
/// # Errors
/// [`Error::Duplicate`] `sequence(id)` or `sequence(tenant, place, flow, api, file)`.
pub async fn insert_many(tx: &mut Tx, sequences: &[StoredSequence]) -> Result<()> {
    let mut rows = Vec::with_capacity(sequences.len());
    for sequence in sequences {
        rows.push(columns(&tx.sealer, sequence)?);
    }
    tx.insert_rows("INSERT INTO sequence (id, tenant, place, flow, api, name, file, content, additions)", rows).await?;
    sequences.iter().for_each(|s| told(tx, s));
    Ok(())
}

/// One by its id.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<StoredSequence>> {
    let row = tx.row("SELECT * FROM sequence WHERE id = $1", args![id]).await?;
    row.map(|r| read(&tx.sealer, &r)).transpose()
}

/// The one that came under this file name in this place.
pub async fn find_by_file(tx: &mut Tx, tenant: TenantId, place: SequencePlace, file: &str) -> Result<Option<StoredSequence>> {
    let (word, flow, api) = stored(place);
    let sql = "SELECT * FROM sequence WHERE tenant = $1 AND place = $2 AND flow = $3 AND api = $4 AND file = $5";
    let row = tx.row(sql, args![tenant, word, flow, api, file]).await?;
    row.map(|r| read(&tx.sealer, &r)).transpose()
}

/// All of a tenant, those of single APIs left out; by place, flow and file.
pub async fn list_common(tx: &mut Tx, tenant: TenantId) -> Result<Vec<StoredSequence>> {
    let sql = "SELECT * FROM sequence WHERE tenant = $1 AND api = '' ORDER BY place, flow, file";
    tx.rows(sql, args![tenant]).await?.iter().map(|r| read(&tx.sealer, r)).collect()
}

/// Those of one API, by flow and file.
pub async fn list_of_api(tx: &mut Tx, api: ApiId) -> Result<Vec<StoredSequence>> {
    let sql = "SELECT * FROM sequence WHERE api = $1 ORDER BY flow, file";
    tx.rows(sql, args![api]).await?.iter().map(|r| read(&tx.sealer, r)).collect()
}

/// Writes everything but its id and tenant; whether there was such a sequence.
///
/// # Errors
/// [`Error::Duplicate`] `sequence(tenant, place, flow, api, file)`.
pub async fn update(tx: &mut Tx, sequence: &StoredSequence) -> Result<bool> {
    let sql = "UPDATE sequence SET place = $3, flow = $4, api = $5, name = $6, file = $7, content = $8, additions = $9 \
               WHERE id = $1 AND tenant = $2";
    let done = tx.run(sql, columns(&tx.sealer, sequence)?).await?;
    told(tx, sequence);
    Ok(done > 0)
}

/// Removes one; whether there was one.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool> {
    let Some(sequence) = find(tx, id).await? else { return Ok(false) };
    let done = tx.run("DELETE FROM sequence WHERE id = $1", args![id]).await?;
    told(tx, &sequence);
    Ok(done > 0)
}

fn told(tx: &mut Tx, sequence: &StoredSequence) {
    match sequence.place {
        SequencePlace::Api(api, _) => changed(tx, Thing::Api, api),
        _ => changed(tx, Thing::Tenant, sequence.tenant.0),
    }
}

/// As the key columns have it.
fn stored(place: SequencePlace) -> (&'static str, &'static str, String) {
    let (word, flow, api) = place.parts();
    (word, flow.map_or("", Flow::name), api.map(|a| a.to_string()).unwrap_or_default())
}

fn columns(sealer: &Sealer, sequence: &StoredSequence) -> Result<Vec<Value>> {
    let (place, flow, api) = stored(sequence.place);
    let content = sealer.seal(CONTENT, &sequence.id, sequence.content.expose())?;
    let additions = match &sequence.additions {
        Some(text) => Some(sealer.seal(ADDITIONS, &sequence.id, text.expose().as_bytes())?),
        None => None,
    };
    Ok(args![&sequence.id, sequence.tenant, place, flow, api, &sequence.name, &sequence.file, content, additions])
}

fn read(sealer: &Sealer, row: &Row) -> Result<StoredSequence> {
    let (id, flow, api) = (row.text("id")?, row.text("flow")?, row.text("api")?);
    let api = if api.is_empty() { None } else { Some(api.parse().map_err(|_| Error::corrupt("sequence.api", "it is no id"))?) };
    let place = SequencePlace::of_parts(&row.text("place")?, Flow::parse(&flow), api)
        .ok_or_else(|| Error::corrupt("sequence.place", "place, flow and API do not fit"))?;
    let additions = match row.opt_bytes("additions")? {
        Some(sealed) => {
            let opened = sealer.open(ADDITIONS, &id, &sealed)?;
            let text = String::from_utf8(opened.expose().clone()).map_err(|_| Error::corrupt(ADDITIONS, "it is no text"))?;
            Some(Secret::new(text))
        }
        None => None,
    };
    Ok(StoredSequence {
        tenant: row.tenant("tenant")?,
        place,
        name: row.text("name")?,
        file: row.text("file")?,
        content: sealer.open(CONTENT, &id, &row.bytes("content")?)?,
        additions,
        id,
    })
}
