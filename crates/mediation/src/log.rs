//! What `log` mediators say, gathered for the caller: bounded in length, without credentials.

use crate::message::Message;

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How grave.
    pub level: LogLevel,
    /// Words, one line unless a body has more.
    pub text: String,
}

/// How grave a line is; the old product's categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// `TRACE`.
    Trace,
    /// `DEBUG`.
    Debug,
    /// `INFO`, the default.
    Info,
    /// `WARN`.
    Warn,
    /// `ERROR`, `FATAL`.
    Error,
}

/// Lines of one run.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) lines: Vec<LogLine>,
    left: usize,
}

/// Headers whose values let one in.
const SECRET_HEADERS: [&str; 9] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "apikey", "api-key", "x-api-key", "internal-key", "x-jwt-assertion"];

/// Shorter words are no credentials, and hiding them would garble the line.
const SHORTEST_SECRET: usize = 8;

/// What one line costs beside its words.
const LINE: usize = 64;

impl Log {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { lines: Vec::new(), left: bytes }
    }

    /// Bytes that further lines may take.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    pub(crate) fn add(&mut self, level: LogLevel, text: String, message: &Message) {
        if self.left <= LINE {
            return;
        }
        let mut text = masked(text, message);
        let room = self.left - LINE;
        if text.len() > room {
            let cut = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
            text.push_str(" … (cut)");
            self.left = 0;
        } else {
            self.left = room - text.len();
        }
        self.lines.push(LogLine { level, text });
    }
}

fn masked(mut text: String, message: &Message) -> String {
    for (name, value) in message.headers.iter() {
        if SECRET_HEADERS.iter().any(|secret| secret.eq_ignore_ascii_case(name)) {
            for word in value.split([' ', ';', ',', '=', '"']).filter(|word| word.len() >= SHORTEST_SECRET) {
                if text.contains(word) {
                    text = text.replace(word, "***");
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_hold_no_credentials() {
        let mut message = Message::request("GET", "/");
        message.headers.append("authorization", "Bearer 0123456789abcdef");
        let mut log = Log::new(200);
        log.add(LogLevel::Info, "auth = Bearer 0123456789abcdef".to_owned(), &message);
        log.add(LogLevel::Info, "ä".repeat(500), &message);
        log.add(LogLevel::Info, "more".to_owned(), &message);
        assert_eq!(log.lines.len(), 2);
        assert_eq!(log.lines[0].text, "auth = Bearer ***");
        assert!(log.lines[1].text.len() < 80 && log.lines[1].text.ends_with("ä … (cut)"));
    }
}
