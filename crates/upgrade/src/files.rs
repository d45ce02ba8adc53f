//! Carries files: streams their bytes out of the old registry one by one, holds each against the target, and writes in batches bounded by
//! their bytes, so that no more than a batch and one file are ever in memory.

use std::collections::{HashMap, HashSet, VecDeque};

use db::files::{FILE_MAX_BYTES, FileHead, Place, sha256};
use db::origins::{self, Entry, Origin, Step, Written};
use db::{Db, Tx};
use model::ApiId;

use crate::digests;
use crate::fingerprint::{Letter, Print, Sorted};
use crate::old::registry::{Contents, Registry};
use crate::plan::{Conflict, Decision, PlanError, Tally, done_by};
use crate::translate::{About, Finding, Severity, WantedFile};

/// The kind's name in the book of origins.
pub(crate) const KIND: &str = "files of APIs";

const TOO_LARGE: &str = "It stays in the old installation: it is too large to be kept here. What it belongs to is carried.";

/// Bytes written in one transaction; a larger file has one of its own.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// A file as it came.
#[derive(Debug)]
pub(crate) struct Come<'a> {
    pub(crate) wanted: &'a WantedFile,
    pub(crate) bytes: Vec<u8>,
}

impl Come<'_> {
    /// What the file is: by its bytes where portals show it as a picture, else as the registry says.
    pub(crate) fn media_type(&self) -> &str {
        let told = self.wanted.media_type.as_deref();
        match self.wanted.place {
            Place::Thumbnail => picture(&self.bytes).or(told),
            _ => told,
        }
        .unwrap_or("application/octet-stream")
    }

    fn content_hash(&self) -> String {
        let WantedFile { api, place, name, .. } = self.wanted;
        hashed(*api, place, name, self.media_type(), &sha256(&self.bytes))
    }
}

/// The content hash of a file as it stands here.
pub(crate) fn hash_of(head: &FileHead) -> String {
    hashed(head.api, &head.place, &head.name, &head.media_type, &head.sha256)
}

fn hashed(api: ApiId, place: &Place, name: &str, media_type: &str, bytes: &str) -> String {
    let text = format!("{KIND}\0{api}\0{place}\0{name}\0{media_type}\0{bytes}");
    digests::sha256(&text)
}

/// Reads a file's id here as the book of origins has it.
pub(crate) fn place_of(id: &str) -> Option<(ApiId, Place)> {
    let (api, place) = id.split_once(' ')?;
    Some((api.parse().ok()?, Place::parse(place)?))
}

/// A picture's media type by its first bytes; old registries often say nothing, or `application/octet-stream`.
fn picture(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let is_svg = || {
        let text = String::from_utf8_lossy(head);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg"))
    };
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'B', b'M', ..] => Some("image/bmp"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [0, 0, 1, 0, ..] => Some("image/x-icon"),
        _ if is_svg() => Some("image/svg+xml"),
        _ => None,
    }
}

/// Files in the order in which the registry gives them.
pub(crate) struct Stream<'a> {
    contents: Contents<'a>,
    /// By tenant and path; one resource may be the file of several documents.
    waiting: HashMap<(i64, &'a str), Vec<&'a WantedFile>>,
    ready: VecDeque<Come<'a>>,
}

impl<'a> Stream<'a> {
    pub(crate) fn open(registry: &'a Registry, wanted: &'a [WantedFile]) -> Self {
        let mut waiting: HashMap<(i64, &str), Vec<&WantedFile>> = HashMap::new();
        for file in wanted {
            waiting.entry((file.tenant, file.path.as_str())).or_default().push(file);
        }
        let contents = registry.contents(waiting.keys().copied());
        Self { contents, waiting, ready: VecDeque::new() }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Come<'a>>, PlanError> {
        loop {
            if let Some(come) = self.ready.pop_front() {
                return Ok(Some(come));
            }
            let Some((tenant, path, bytes)) = self.contents.next().await? else { return Ok(None) };
            for wanted in self.waiting.remove(&(tenant, path)).unwrap_or_default() {
                self.ready.push_back(Come { wanted, bytes: bytes.clone() });
            }
        }
    }

    /// Files that never came, and whether they are too large to be read; else their resource names a content that is not there.
    pub(crate) fn left(&self) -> Vec<(&'a WantedFile, bool)> {
        let too_large: HashSet<(i64, &str)> = self.contents.too_large().iter().copied().collect();
        let left = self.waiting.iter().flat_map(|(at, files)| files.iter().map(|file| (*file, too_large.contains(at))));
        let mut left: Vec<(&WantedFile, bool)> = left.collect();
        left.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        left
    }
}

/// Holds files against the target, and writes them when asked to.
pub(crate) struct FileRun<'a> {
    stream: Stream<'a>,
    known: HashMap<String, Entry>,
    /// The run that is gone on with, whose own doings count in the print as its plan told them.
    within: Option<i64>,
    print: Sorted,
    pub(crate) tally: Tally,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) findings: Vec<Finding>,
    seen: HashSet<&'a str>,
}

/// A file to be written.
pub(crate) struct FileStep<'a> {
    come: Come<'a>,
    hash: String,
    step: Step,
}

/// What a whole run found.
pub(crate) struct Closed {
    pub(crate) tally: Tally,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) findings: Vec<Finding>,
    /// Keys of files that are gone from the source.
    pub(crate) gone: Vec<String>,
    pub(crate) print: Print,
}

impl<'a> FileRun<'a> {
    pub(crate) async fn open(
        registry: &'a Registry,
        wanted: &'a [WantedFile],
        source: &str,
        target: Option<&Db>,
        within: Option<i64>,
    ) -> Result<Self, PlanError> {
        let entries = match target {
            Some(db) => origins::entries(&mut db.read().await?, source, KIND, "", u32::MAX).await?,
            None => Vec::new(),
        };
        let known = entries.into_iter().map(|entry| (entry.old_key.clone(), entry)).collect();
        Ok(Self {
            stream: Stream::open(registry, wanted),
            known,
            within,
            print: Sorted::default(),
            tally: Tally { kind: KIND, ..Tally::default() },
            conflicts: Vec::new(),
            findings: Vec::new(),
            seen: HashSet::new(),
        })
    }

    /// The next files to write, some megabytes of them; `None` after the last. What need not be written is only counted.
    pub(crate) async fn next(&mut self, target: Option<&Db>) -> Result<Option<Vec<FileStep<'a>>>, PlanError> {
        let (mut steps, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES {
            let Some(come) = self.stream.next().await? else {
                return Ok((!steps.is_empty()).then_some(steps));
            };
            self.seen.insert(come.wanted.key.as_str());
            if come.bytes.len() > FILE_MAX_BYTES {
                let words = format!("{} bytes, and at most {FILE_MAX_BYTES} are kept", come.bytes.len());
                self.find(TOO_LARGE, come.wanted, words);
                continue;
            }
            let hash = come.content_hash();
            let decision = self.decide(target, &come, &hash).await?;
            self.tally.count(&decision);
            let before = self.known.get(&come.wanted.key).filter(|_| decision == Decision::Same);
            let letter = before.and_then(|entry| done_by(self.within, entry)).unwrap_or_else(|| decision.letter());
            self.print.add(&come.wanted.key, &hash, letter);
            match decision {
                Decision::New | Decision::Replaces | Decision::Changed => {
                    bytes += come.bytes.len();
                    let step = if decision == Decision::Changed { Step::Changed } else { Step::New };
                    steps.push(FileStep { come, hash, step });
                }
                Decision::Conflict(words) if self.conflicts.len() < 100 => {
                    self.conflicts.push(Conflict { kind: KIND, key: come.wanted.key.clone(), words });
                }
                Decision::Conflict(_) | Decision::Same | Decision::Deleted => {}
            }
        }
        Ok(Some(steps))
    }

    async fn decide(&self, target: Option<&Db>, come: &Come<'_>, hash: &str) -> Result<Decision, PlanError> {
        let WantedFile { key, api, place, .. } = come.wanted;
        let known = self.known.get(key);
        if known.is_some_and(|k| k.origin.content_hash == hash) {
            return Ok(Decision::Same);
        }
        let Some(db) = target else { return Ok(Decision::New) };
        let there = db::files::find(&mut db.read().await?, *api, place).await?;
        Ok(match (known, there) {
            (Some(_), Some(_)) => Decision::Changed,
            (Some(_), None) => Decision::Deleted,
            (None, None) => Decision::New,
            (None, Some(there)) => Decision::Conflict(format!("API {api} already has the {place} {}", there.name)),
        })
    }

    /// Writes files; what the book of origins must say of them, and how many of which kind. A file whose API or document was deleted here
    /// stays away.
    pub(crate) async fn write(&mut self, tx: &mut Tx, steps: Vec<FileStep<'_>>) -> db::Result<(Vec<Written>, Tally)> {
        let (mut book, mut tally) = (Vec::new(), Tally::default());
        for FileStep { come, hash, step } in steps {
            let WantedFile { key, api, place, name, .. } = come.wanted;
            let holder = match place {
                Place::Document(id) => db::documents::find(tx, *id).await?.is_some(),
                _ => db::apis::find(tx, *api).await?.is_some(),
            };
            if !holder {
                self.tally.deleted += 1;
                continue;
            }
            db::files::put(tx, *api, place, name, come.media_type(), &come.bytes).await?;
            match step {
                Step::Changed => tally.changed += 1,
                _ => tally.new += 1,
            }
            let origin = Origin { new_id: format!("{api} {place}"), content_hash: hash };
            book.push(Written { old_key: key.clone(), origin, step, unused_hash: None });
        }
        Ok((book, tally))
    }

    /// Tally, conflicts and findings of the whole run, and the keys of files that are gone from the source.
    pub(crate) fn close(mut self) -> Closed {
        for (wanted, is_too_large) in self.stream.left() {
            self.seen.insert(wanted.key.as_str());
            if is_too_large {
                self.find(TOO_LARGE, wanted, format!("more than {FILE_MAX_BYTES} bytes, and at most so many are kept"));
                continue;
            }
            self.find(
                "What it belongs to is carried without it; upload it anew.",
                wanted,
                "its bytes are gone from the old registry".to_owned(),
            );
        }
        let mut gone: Vec<String> = self.known.into_keys().filter(|key| !self.seen.contains(key.as_str())).collect();
        gone.sort();
        self.tally.gone = gone.len().try_into().unwrap_or(u64::MAX);
        gone.iter().for_each(|key| self.print.add(key, "", Letter::Gone));
        let Self { tally, conflicts, findings, print, .. } = self;
        Closed { tally, conflicts, findings, gone, print: print.finish(KIND) }
    }

    fn find(&mut self, consequence: &'static str, wanted: &WantedFile, words: String) {
        let origin = format!("registry of tenant {}: {}", wanted.tenant, wanted.path);
        self.findings.push(Finding { severity: Severity::Warning, about: About::Document, consequence, origin, words });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_by_their_bytes() {
        for (bytes, expected) in [
            (b"\x89PNG\r\n\x1a\n".as_slice(), Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", Some("image/svg+xml")),
            (b"\xef\xbb\xbf <svg/>", Some("image/svg+xml")),
            (b"<html>", None),
            (b"", None),
        ] {
            assert_eq!(picture(bytes), expected);
        }
    }
}
