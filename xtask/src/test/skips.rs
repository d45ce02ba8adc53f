//! Which tests did not look at what they are for, found in what the runners say.
//!
//! A test that lacks something (a database, a folder of real installations) passes and says `skipped: why`. Both runners hide what a passed
//! test says, so it is gathered here and told at the end.

use std::collections::BTreeMap;
use std::fmt;

/// How often each reason was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Skips(BTreeMap<String, usize>);

impl Skips {
    /// From nextest's report, in which every test's output is kept.
    pub(super) fn of_junit(report: &str) -> Self {
        let mut skips = Self::default();
        for line in report.lines() {
            // Tags stand before a test's first line and behind its last; within the text there is no `<`.
            line.split(['<', '>']).for_each(|said| skips.note(said));
        }
        skips
    }

    fn note(&mut self, line: &str) {
        let line = line.trim();
        if let Some(why) = line.strip_prefix("skipped: ").or_else(|| line.strip_prefix("SKIPPED: ")) {
            *self.0.entry(why.to_owned()).or_default() += 1;
        }
    }
}

impl fmt::Display for Skips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nSkipped, so these have shown nothing:")?;
        self.0.iter().try_for_each(|(why, times)| writeln!(f, "{times:5} × {why}"))
    }
}

/// Reads `cargo test -- --show-output` line by line, and leaves out again what that adds to the plain output.
#[derive(Default)]
pub(super) struct Relay {
    pub(super) skips: Skips,
    among_successes: bool,
}

impl Relay {
    /// Whether a line is for the reader.
    pub(super) fn shows(&mut self, line: &str) -> bool {
        match line.trim_end() {
            "successes:" => self.among_successes = true,
            "failures:" => self.among_successes = false,
            end if end.starts_with("test result: ") => self.among_successes = false,
            _ => {}
        }
        if self.among_successes {
            self.skips.note(line);
        }
        !self.among_successes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
running 3 tests
test a ... ok
test b ... ok
test c ... FAILED

successes:

---- a stdout ----
skipped: no server answers
---- b stdout ----
something
SKIPPED: no server answers

successes:
    a
    b

failures:

---- c stdout ----
skipped: this one failed

failures:
    c

test result: FAILED. 2 passed; 1 failed
";

    #[test]
    fn skips_are_counted_and_the_rest_is_shown() {
        let mut relay = Relay::default();
        let shown: Vec<&str> = SAID.lines().filter(|line| relay.shows(line)).collect();
        assert_eq!(relay.skips.0, BTreeMap::from([("no server answers".to_owned(), 2)]));
        assert!(shown.contains(&"test b ... ok") && shown.contains(&"---- c stdout ----") && shown.contains(&"    c"), "{shown:#?}");
        assert!(!shown.contains(&"something") && !shown.contains(&"    b"), "{shown:#?}");
        assert_eq!(relay.skips.to_string(), "\nSkipped, so these have shown nothing:\n    2 × no server answers\n");
        assert_eq!(Skips::default().to_string(), "");
    }

    #[test]
    fn a_report_of_nextest_tells_the_same() {
        let report = "<testcase name=\"a\"><system-out>\nrunning 1 test\nskipped: no server answers\ntest a ... ok</system-out>\n\
                      <system-err>skipped: no folder</system-err></testcase>";
        let told = BTreeMap::from([("no folder".to_owned(), 1), ("no server answers".to_owned(), 1)]);
        assert_eq!(Skips::of_junit(report).0, told);
    }
}
