//! The first administrator.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use db::users::UserFilter;
use model::{SUPER_TENANT_DOMAIN, Secret, TenantId, UserName};

use crate::{ChangeError, NewUser, Users};

/// Name of the first administrator, and of the role that makes one.
const ADMIN: &str = "admin";

/// Accounts looked at in one query.
const PAGE: u32 = 500;

/// What [`Users::ensure_admin`] found or did.
#[derive(Debug)]
pub enum Made {
    /// There is an administrator already.
    Existing,
    /// `admin` was made.
    New {
        /// Its password, where none was given. To be shown once, and kept nowhere.
        generated: Option<Secret<String>>,
    },
}

impl Users {
    /// Makes the user `admin` with the role `admin` when nobody in the super tenant has that role. The super tenant and its roles must be there.
    ///
    /// # Errors
    /// [`ChangeError`]; [`ChangeError::Exists`] when there is a user `admin` without the role: whose it is, nobody here can know.
    pub async fn ensure_admin(&self, password: Option<Secret<String>>) -> Result<Made, ChangeError> {
        if self.has_administrator().await? {
            return Ok(Made::Existing);
        }
        let (password, generated) = match password {
            Some(given) => (given, None),
            None => {
                let fresh = generate();
                (fresh.clone(), Some(fresh))
            }
        };
        let new = NewUser {
            name: UserName::primary(ADMIN, SUPER_TENANT_DOMAIN),
            password,
            roles: vec![ADMIN.to_owned()],
            attributes: Vec::new(),
            must_change_password: false,
        };
        match self.create(new).await {
            // Another process starting at the same time may have been first.
            Err(ChangeError::Exists(_)) if self.has_administrator().await? => Ok(Made::Existing),
            Err(error) => Err(error),
            Ok(_) => Ok(Made::New { generated }),
        }
    }
}

impl Users {
    async fn has_administrator(&self) -> Result<bool, db::Error> {
        let mut tx = self.db.read().await?;
        let mut filter = UserFilter { tenant: TenantId::SUPER, name_like: None, limit: PAGE, offset: 0 };
        loop {
            let users = db::users::list(&mut tx, &filter).await?;
            if users.iter().any(|user| user.roles.iter().any(|role| role.eq_ignore_ascii_case(ADMIN))) {
                return Ok(true);
            }
            if users.len() < PAGE as usize {
                return Ok(false);
            }
            filter.offset += PAGE;
        }
    }
}

/// 144 random bits in 24 characters.
fn generate() -> Secret<String> {
    let mut bytes = [0; 18];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes; without them no secret could be made safely");
    Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
