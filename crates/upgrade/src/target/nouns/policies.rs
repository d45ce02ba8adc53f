//! Policies of the three levels.

use db::policies::{advanced, application, custom, subscription};
use db::{Result, Tx};
use model::{
    AdvancedPolicy, ApplicationPolicy, CustomRule, SubscriptionPolicy, default_advanced_policies, default_application_policies,
    default_subscription_policies,
};

use super::{Around, Noun, Standing};

macro_rules! policy_noun {
    ($model:ty, $family:ident, $defaults:ident, $kind:literal) => {
        impl Noun for $model {
            const KIND: &'static str = $kind;

            fn id(&self) -> String {
                self.id.to_string()
            }

            async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
                $family::find(tx, self.tenant, self.id).await
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
        }
    };
}

policy_noun!(SubscriptionPolicy, subscription, default_subscription_policies, "subscription policies");
policy_noun!(ApplicationPolicy, application, default_application_policies, "application policies");
policy_noun!(AdvancedPolicy, advanced, default_advanced_policies, "advanced policies");

impl Noun for CustomRule {
    const KIND: &'static str = "custom rules";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        custom::find(tx, self.tenant, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let found = custom::find_by_name(tx, self.tenant, &self.name).await?;
        Ok(found.map_or(Standing::Free, |rule| Standing::Taken(format!("a custom rule {} is already there", rule.name))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        custom::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        custom::update(tx, self).await
    }
}
