//! Writes the sample site into a folder: `write_sample <folder> <backend url> [mysql|postgres]`.

extern crate tidegate_oldsite as oldsite;

use oldsite::mysql::Blobs;
use oldsite::{Dialect, Links, Site};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().ok_or("name a folder")?;
    let backend = words.next().ok_or("name a backend URL")?;
    let dialect = match words.next().as_deref() {
        Some("postgres") => Dialect::Postgres,
        _ => Dialect::MySql(Blobs::Escaped),
    };
    let now_ms = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?;
    Site::sample(&backend, now_ms).write(folder.as_ref(), dialect, &Links::unreachable(dialect))?;
    Ok(())
}
