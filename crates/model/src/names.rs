//! Which names are allowed. Lengths and characters are those of the 4.0.0 interface documents.

/// A name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing but spaces.
    #[error("{what} must not be empty")]
    Empty {
        /// Which name, in the caller's words.
        what: &'static str,
    },
    /// Longer than allowed.
    #[error("{what} is {length} characters long; at most {most} are allowed")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// Its length in characters.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A character that is not allowed.
    #[error("{what} must not contain '{found}'")]
    Character {
        /// Which name.
        what: &'static str,
        /// The first offending character.
        found: char,
    },
}

/// Characters that neither API names nor versions may hold (schema `API` of the publisher's document); space is one of them.
const API_FORBIDDEN: &str = "~!@#;:%^*()+={}|\\<>\"',&$[]/ ";

/// An API's name: 1–50 characters.
///
/// # Errors
/// [`NameFault`] for an empty, long or ill-charactered name.
pub fn api_name(name: &str) -> Result<(), NameFault> {
    bounded("API name", name, 50)?;
    without("API name", name, |c| API_FORBIDDEN.contains(c) || c.is_control())
}

/// An API's version: 1–30 characters.
///
/// # Errors
/// As [`api_name`].
pub fn api_version(version: &str) -> Result<(), NameFault> {
    bounded("API version", version, 30)?;
    without("API version", version, |c| API_FORBIDDEN.contains(c) || c.is_control())
}

/// An application's name: 1–70 characters, no space at either end.
///
/// # Errors
/// As [`api_name`].
pub fn application_name(name: &str) -> Result<(), NameFault> {
    bounded("Application name", name, 70)?;
    if name.starts_with(' ') || name.ends_with(' ') {
        return Err(NameFault::Character { what: "Application name", found: ' ' });
    }
    without("Application name", name, |c| "~!@#;%^*+={}|\\<>\"',&$".contains(c) || c.is_control())
}

/// A throttling policy's name made over REST: 1–60 letters and digits. Policies that came from an old installation may be called
/// otherwise and keep their name.
///
/// # Errors
/// As [`api_name`].
pub fn policy_name(name: &str) -> Result<(), NameFault> {
    bounded("Policy name", name, 60)?;
    without("Policy name", name, |c| !c.is_ascii_alphanumeric())
}

fn bounded(what: &'static str, name: &str, most: usize) -> Result<(), NameFault> {
    if name.trim().is_empty() {
        return Err(NameFault::Empty { what });
    }
    let length = name.chars().count();
    if length > most { Err(NameFault::TooLong { what, length, most }) } else { Ok(()) }
}

fn without(what: &'static str, name: &str, forbidden: impl Fn(char) -> bool) -> Result<(), NameFault> {
    name.chars().find(|c| forbidden(*c)).map_or(Ok(()), |found| Err(NameFault::Character { what, found }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_in_characters_not_bytes() {
        assert!(api_name(&"ä".repeat(50)).is_ok());
        assert!(matches!(api_name(&"ä".repeat(51)), Err(NameFault::TooLong { length: 51, most: 50, .. })));
        assert!(matches!(api_name(" "), Err(NameFault::Empty { .. })));
        assert!(matches!(api_name("a b"), Err(NameFault::Character { found: ' ', .. })));
        assert!(api_version("1.0.0-beta_2").is_ok());
        assert!(matches!(policy_name("20/min"), Err(NameFault::Character { found: '/', .. })));
        assert!(matches!(application_name("x "), Err(NameFault::Character { .. })));
        assert!(application_name("My App").is_ok());
    }
}
