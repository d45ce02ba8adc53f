//! The open rest of smaller nouns.

use model::{Environment, Lifetimes, TokenFormat, Vhost};
use serde::{Deserialize, Serialize};

use super::record::{Word, record, words};

words!(TokenFormat);

record!(VhostRow of Vhost {
    host: String, http_context: String, http_port: u16, https_port: u16, ws_port: u16, wss_port: u16,
});
record!(EnvironmentBody of Environment {
    name: String, display_name: String, description: Option<String>, kind: String, read_only: bool, vhosts: Vec<VhostRow>,
});
record!(LifetimesRow of Lifetimes {
    application_secs: Option<i64>, user_secs: Option<i64>, refresh_secs: Option<i64>, id_token_secs: Option<i64>,
});

/// What of an OAuth client is not a column.
#[derive(Serialize, Deserialize)]
pub(crate) struct ClientBody {
    pub(crate) grants: Vec<String>,
    pub(crate) callback_url: Option<String>,
    pub(crate) token_format: Word,
    pub(crate) lifetimes: LifetimesRow,
}
