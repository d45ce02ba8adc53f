//! Changing one's own password, for the developer portal, which knows no accounts.

use model::{Secret, UserName};
use portal::{PasswordRefused, Passwords};
use rest::BoxFuture;
use users::{ChangeError, Users};

/// The accounts behind the portal.
pub(crate) struct OwnPasswords(pub(crate) Users);

impl Passwords for OwnPasswords {
    fn change<'a>(
        &'a self,
        user: &'a UserName,
        current: Secret<String>,
        new: Secret<String>,
    ) -> BoxFuture<'a, Result<(), PasswordRefused>> {
        Box::pin(async move {
            self.0.change_password(user, &current, new).await.map_err(|fault| match fault {
                ChangeError::Current(cause) if !cause.is_ours() => PasswordRefused::Current,
                ChangeError::PasswordNotAllowed | ChangeError::KeptElsewhere(_) => PasswordRefused::New(fault.to_string()),
                other => PasswordRefused::Unavailable(Box::new(other)),
            })
        })
    }
}
