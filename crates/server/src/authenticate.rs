//! Who is calling a REST interface: the key desk knows tokens, and accounts through it.

use keys::Desk;
use rest::{Authenticate, BoxFuture, Caller, ClientAddress, Denied};

/// The desk behind every REST door.
pub(crate) struct Desks(pub(crate) Desk);

impl Authenticate for Desks {
    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(self.0.bearer_caller(token))
    }

    fn basic<'a>(&'a self, user: &'a str, password: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
        self.basic_from(user, password, None)
    }

    fn basic_from<'a>(&'a self, user: &'a str, password: &'a str, from: Option<ClientAddress>) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(self.0.basic_caller(user, password, from.map(|from| from.0)))
    }
}
