//! Policies of the three levels.

use db::origins::Shelf;
use db::policies::{advanced, application, subscription};
use db::{Result, Tx, tenants};
use model::{
    AdvancedPolicy, ApplicationPolicy, Secret, SubscriptionPolicy, Tenant, Timestamp, default_advanced_policies,
    default_application_policies, default_subscription_policies,
};

use super::{Around, Noun, Standing, handle};

macro_rules! policy_noun {
    ($model:ty, $family:ident, $defaults:ident, $kind:literal, $shelf:ident) => {
        impl Noun for $model {
            const KIND: &'static str = $kind;
            const SHELF: Option<Shelf> = Some(Shelf::$shelf);

            fn id(&self) -> String {
                self.id.to_string()
            }

            fn label(&self) -> String {
                format!("{} of tenant {}", self.name, self.tenant)
            }

            fn handles(&self) -> Vec<String> {
                // With and without the tenant, since not everybody who names a policy tells whose.
                vec![handle($kind, &format!("{}/{}", self.tenant, self.name)), handle($kind, &self.name)]
            }

            fn needs(&self) -> Vec<String> {
                vec![handle(Tenant::KIND, &self.tenant.to_string())]
            }

            async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
                $family::find(tx, self.tenant, self.id).await
            }

            async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
                let Ok(id) = id.parse() else { return Ok(None) };
                for tenant in tenants::list(tx).await? {
                    if let Some(policy) = $family::find(tx, tenant.id, id).await? {
                        return Ok(Some(policy));
                    }
                }
                Ok(None)
            }

            async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
                Ok(match $family::find_by_name(tx, self.tenant, &self.name).await? {
                    None => Standing::Free,
                    Some(found) if $defaults(self.tenant).contains(&found) => Standing::Default,
                    Some(_) => Standing::Taken(format!(
                        "{} {} of tenant {} is already there with a limit of its own",
                        $kind, self.name, self.tenant
                    )),
                })
            }

            async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
                $family::insert_many(tx, records).await
            }

            async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
                $family::update(tx, self).await
            }

            async fn put_back(&self, tx: &mut Tx, _: Option<Secret<String>>, now: Timestamp) -> Result<()> {
                match $defaults(self.tenant).into_iter().find(|default| default.name == self.name) {
                    // The carried one has the default's id, or has taken its place under another.
                    Some(default) if default.id == self.id => $family::update(tx, &default).await.map(drop),
                    Some(default) => {
                        self.remove(tx, now).await?;
                        $family::insert(tx, &default).await
                    }
                    None => self.remove(tx, now).await.map(drop),
                }
            }

            async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
                $family::delete(tx, self.id).await
            }
        }
    };
}

policy_noun!(SubscriptionPolicy, subscription, default_subscription_policies, "subscription policies", SubscriptionPolicies);
policy_noun!(ApplicationPolicy, application, default_application_policies, "application policies", ApplicationPolicies);
policy_noun!(AdvancedPolicy, advanced, default_advanced_policies, "advanced policies", AdvancedPolicies);
