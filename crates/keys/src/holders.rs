//! Whom a token acts for: the name that is written into it, and the account behind the name.
//!
//! A user of the super tenant may have an e-mail address for a name, whose domain may be a tenant's too. So such a name is written with the
//! super tenant's suffix, and a name that is read must fit the tenant of the client that the token was issued to: what an old installation
//! left, or a tenant that came later, must not make somebody else of its holder.

use model::{OAuthClient, SUPER_TENANT_DOMAIN, TenantId, TokenHolder, UserName};
use users::Account;

/// A user as the holder of a token.
pub(crate) fn user(account: &Account) -> TokenHolder {
    let name = account.name();
    let text = if is_ambiguous(&name) { name.with_tenant() } else { name.to_string() };
    TokenHolder::User { user: text }
}

/// A client's application as the holder of a token.
pub(crate) fn application(client: &OAuthClient) -> TokenHolder {
    let owner = UserName::parse(&client.owner, |domain| domain == SUPER_TENANT_DOMAIN);
    let owner = if client.tenant == TenantId::SUPER && is_ambiguous(&owner) { owner.with_tenant() } else { client.owner.clone() };
    TokenHolder::Application { owner }
}

/// A client of the super tenant serves users of all tenants, as the portals' do; a tenant's own client only that tenant's. Otherwise a
/// tenant's administrator could register a client that collects tokens of other tenants' users.
pub(crate) fn may_serve(client_tenant: TenantId, user: &Account) -> bool {
    client_tenant == TenantId::SUPER || client_tenant == user.tenant.id
}

/// The account a token acts for, whatever its state. None where it is unknown or the client may not act for it.
pub(crate) async fn account_of(tx: &mut db::Tx, holder: &TokenHolder, client_tenant: TenantId) -> Result<Option<Account>, db::Error> {
    match holder {
        TokenHolder::Application { owner } => owner_account(tx, owner, client_tenant).await,
        TokenHolder::User { user } => {
            let name = users::parse_name(tx, user).await?;
            Ok(users::find(tx, &name).await?.filter(|account| may_serve(client_tenant, account)))
        }
    }
}

/// The account of a client's owner, who is always of the client's tenant, whatever else the name could mean.
pub(crate) async fn owner_account(tx: &mut db::Tx, owner: &str, tenant: TenantId) -> Result<Option<Account>, db::Error> {
    let Some(tenant) = db::tenants::find(tx, tenant).await? else { return Ok(None) };
    let name = UserName::parse(owner, |domain| domain.eq_ignore_ascii_case(&tenant.domain) || domain == SUPER_TENANT_DOMAIN);
    Ok(users::find(tx, &name).await?.filter(|account| account.tenant.id == tenant.id))
}

/// Whether the name without a suffix could be read as a tenant's user.
fn is_ambiguous(name: &UserName) -> bool {
    name.tenant == SUPER_TENANT_DOMAIN && name.name.contains('@')
}
