//! Bytes of a dump file one at a time, with the line and offset for messages and for coming back. Holds one block, never the
//! file.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

const BLOCK: usize = 256 * 1024;

/// A place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) line: u64,
}

pub(super) struct Cursor {
    file: File,
    block: Vec<u8>,
    at: usize,
    filled: usize,
    offset_of_block: u64,
    line: u64,
}

impl Cursor {
    pub(super) fn new(file: File) -> Self {
        Self { file, block: vec![0; BLOCK], at: 0, filled: 0, offset_of_block: 0, line: 1 }
    }

    pub(super) fn place(&self) -> Place {
        Place { offset: self.offset_of_block + self.at as u64, line: self.line }
    }

    pub(super) fn go(&mut self, place: Place) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(place.offset))?;
        self.offset_of_block = place.offset;
        self.at = 0;
        self.filled = 0;
        self.line = place.line;
        Ok(())
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
        self.offset_of_block += self.filled as u64;
        self.at = 0;
        self.filled = 0;
        loop {
            match self.file.read(&mut self.block) {
                Ok(filled) => {
                    self.filled = filled;
                    return Ok(filled > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
