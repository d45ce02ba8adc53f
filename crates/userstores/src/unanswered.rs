//! Why a store gave no answer.

/// A store could not be asked, or did not answer. Never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Too many are asking already.
    #[error("too many are asking the user store at once")]
    Busy,
    /// Too slow.
    #[error("the user store did not answer within {0} ms")]
    Late(u128),
    /// No connection, or it broke.
    #[error("the user store cannot be reached: {0}")]
    Unreachable(String),
    /// It does not let us in: our own name or password there is not right.
    #[error("the user store refuses our own credentials: {0}")]
    NotLetIn(String),
    /// It answered with a fault of its own.
    #[error("the user store answered with a fault: {0}")]
    Fault(String),
}

impl From<sqlx::Error> for Unanswered {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            // 28xxx is "invalid authorization" in PostgreSQL and MySQL.
            sqlx::Error::Database(fault) if fault.code().is_some_and(|code| code.starts_with("28")) => {
                Self::NotLetIn(fault.message().to_owned())
            }
            sqlx::Error::Database(fault) => Self::Fault(fault.message().to_owned()),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Self::Unreachable(error.to_string()),
            other => Self::Fault(other.to_string()),
        }
    }
}
