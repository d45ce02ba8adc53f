//! Tokens.

use db::{Result, Tx, tokens};
use model::{IssuedToken, OAuthClient, Timestamp, TokenState, TokenText};

use super::{Around, Noun, Standing, handle};

impl Noun for IssuedToken {
    const KIND: &'static str = "tokens";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn secrets(&self) -> Vec<String> {
        let access = match &self.access {
            TokenText::Opaque(text) => text.expose().clone(),
            TokenText::Jti(jti) => jti.clone(),
        };
        vec![access, self.refresh.as_ref().map(|r| r.expose().clone()).unwrap_or_default()]
    }

    /// Only its state differs: it was refreshed or taken back here.
    fn has_lived_on(&self, here: &Self) -> bool {
        here.state != TokenState::Active && Self { state: TokenState::Active, ..here.clone() } == *self
    }

    fn unused(&self) -> Option<Self> {
        (self.state != TokenState::Active).then(|| Self { state: TokenState::Active, ..self.clone() })
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(OAuthClient::KIND, &self.client)]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        // By its text, as the gateway will look for it.
        match &self.access {
            TokenText::Opaque(text) => tokens::find_by_access(tx, text.expose()).await,
            TokenText::Jti(jti) => tokens::find_by_jti(tx, jti).await,
        }
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        tokens::find(tx, id).await
    }

    async fn find_many(tx: &mut Tx, records: &[&Self]) -> Result<Vec<Option<Self>>> {
        let texts: Vec<&str> = records
            .iter()
            .map(|token| match &token.access {
                TokenText::Opaque(text) => text.expose().as_str(),
                TokenText::Jti(_) => "",
            })
            .collect();
        let mut found = tokens::find_many_by_access(tx, &texts).await?;
        for (record, found) in records.iter().zip(&mut found) {
            if let TokenText::Jti(jti) = &record.access {
                *found = tokens::find_by_jti(tx, jti).await?;
            }
        }
        Ok(found)
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        // A refresh token held by another row is in nobody's way: see `refresh_holder`.
        let by_access = self.find(tx).await?;
        Ok(by_access.map_or(Standing::Free, |t| Standing::Taken(format!("a token of client {} has the same text", t.client))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        tokens::insert_many(tx, records).await
    }

    async fn update(&self, _: &mut Tx, _: &Around) -> Result<bool> {
        // A token's text decides everything about it; what differs is decided here by now.
        Ok(true)
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        Ok(tokens::delete_many(tx, &[self.id]).await? > 0)
    }
}

/// The other token that holds this one's refresh token, in whatever state. The old product reused a refresh token for the access tokens
/// that followed each other; here it belongs to one row, which keeps it when it ends, so a later one goes without.
pub(crate) async fn refresh_holder(tx: &mut Tx, token: &IssuedToken) -> Result<Option<IssuedToken>> {
    let Some(text) = &token.refresh else { return Ok(None) };
    let access = |t: &IssuedToken| match &t.access {
        TokenText::Opaque(text) => text.expose().clone(),
        TokenText::Jti(jti) => jti.clone(),
    };
    Ok(tokens::find_by_refresh(tx, text.expose()).await?.filter(|holder| access(holder) != access(token)))
}

/// The token as it is carried when its refresh token is another's.
pub(crate) fn without_refresh(token: IssuedToken) -> IssuedToken {
    IssuedToken { refresh: None, refresh_expires_at: None, ..token }
}
