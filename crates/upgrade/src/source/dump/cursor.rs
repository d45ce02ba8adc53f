//! Bytes of a dump file one at a time, with the line and offset for messages and for coming back. Holds one block, never the
//! file. A file in UTF-16, which Windows' tools write, is turned into UTF-8 block by block.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

const BLOCK: usize = 256 * 1024;

/// A place in the file: a block's beginning, and how far into what was read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    block: u64,
    within: usize,
    line: u64,
}

/// How the file's bytes stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16 { big_endian: bool },
}

pub(super) struct Cursor {
    file: File,
    block: Vec<u8>,
    at: usize,
    filled: usize,
    offset_of_block: u64,
    /// Bytes of the file in this block.
    taken_of_file: u64,
    encoding: Option<Encoding>,
    line: u64,
}

impl Cursor {
    pub(super) fn new(file: File) -> Self {
        Self { file, block: vec![0; BLOCK], at: 0, filled: 0, offset_of_block: 0, taken_of_file: 0, encoding: None, line: 1 }
    }

    pub(super) fn place(&self) -> Place {
        Place { block: self.offset_of_block, within: self.at, line: self.line }
    }

    pub(super) fn go(&mut self, place: Place) -> std::io::Result<()> {
        self.line = place.line;
        // Scripts have a statement for each row: the next one mostly is in the block at hand.
        if place.block == self.offset_of_block && place.within <= self.filled && self.filled > 0 {
            self.at = place.within;
            return Ok(());
        }
        self.offset_of_block = place.block;
        self.taken_of_file = 0;
        self.filled = 0;
        self.at = 0;
        if place.within > 0 {
            self.refill()?;
            self.at = place.within.min(self.filled);
        }
        Ok(())
    }

    /// The first block, for a look at what the file is. Only right after [`Cursor::new`].
    pub(super) fn beginning(&mut self) -> std::io::Result<&[u8]> {
        if self.at == self.filled {
            self.refill()?;
        }
        Ok(self.block.get(..self.filled).unwrap_or_default())
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn peek(&mut self) -> std::io::Result<Option<u8>> {
        if self.at == self.filled && !self.refill()? {
            return Ok(None);
        }
        Ok(self.block.get(self.at).copied())
    }

    pub(super) fn next(&mut self) -> std::io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
            }
        }
        Ok(byte)
    }

    /// The bytes from here up to (not including) the next of `stops`, appended to `into` while it stays within `max`.
    /// `Ok(false)` when `max` is passed. Stops at the end of the file too.
    pub(super) fn run_until(&mut self, stops: &[u8], into: Option<&mut Vec<u8>>, max: usize) -> std::io::Result<bool> {
        let mut into = into;
        let mut taken = into.as_ref().map_or(0, |v| v.len());
        while self.at < self.filled || self.refill()? {
            let rest = self.block.get(self.at..self.filled).unwrap_or_default();
            let length = rest.iter().position(|b| stops.contains(b)).unwrap_or(rest.len());
            let run = rest.get(..length).unwrap_or_default();
            taken += length;
            if taken > max {
                return Ok(false);
            }
            if let Some(into) = into.as_deref_mut() {
                into.extend_from_slice(run);
            }
            self.line += run.iter().filter(|b| **b == b'\n').count() as u64;
            let ended = length < rest.len();
            self.at += length;
            if ended {
                break;
            }
        }
        Ok(true)
    }

    fn refill(&mut self) -> std::io::Result<bool> {
        self.offset_of_block += self.taken_of_file;
        self.at = 0;
        self.filled = 0;
        self.taken_of_file = 0;
        let encoding = match self.encoding {
            Some(encoding) => encoding,
            None => {
                let encoding = self.told_by_its_mark()?;
                *self.encoding.insert(encoding)
            }
        };
        self.file.seek(SeekFrom::Start(self.offset_of_block))?;
        self.block.resize(BLOCK, 0);
        // A block is filled whole, so that coming back to it finds the same.
        let mut filled = 0;
        while let Some(room) = self.block.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read(room) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.block.truncate(filled);
        self.taken_of_file = filled as u64;
        if let Encoding::Utf16 { big_endian } = encoding {
            self.recode(big_endian)?;
        }
        self.filled = self.block.len();
        Ok(self.filled > 0)
    }

    fn told_by_its_mark(&mut self) -> std::io::Result<Encoding> {
        let mut mark = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        (&mut self.file).take(2).read_to_end(&mut mark)?;
        Ok(match mark.as_slice() {
            [0xff, 0xfe] => Encoding::Utf16 { big_endian: false },
            [0xfe, 0xff] => Encoding::Utf16 { big_endian: true },
            _ => Encoding::Utf8,
        })
    }

    fn recode(&mut self, big_endian: bool) -> std::io::Result<()> {
        let unit = |pair: &[u8]| match (pair, big_endian) {
            ([a, b], true) => u16::from_be_bytes([*a, *b]),
            ([a, b], false) => u16::from_le_bytes([*a, *b]),
            _ => 0xfffd,
        };
        let mut units: Vec<u16> = self.block.chunks(2).map(unit).collect();
        // The second half of a character is in the next block.
        if units.len() > 1 && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
            self.taken_of_file -= 2;
        }
        let text = String::from_utf16(&units).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-16 text"))?;
        self.block = text.into_bytes();
        Ok(())
    }
}
