//! Rules of a site's own ("custom" throttling rules) that are in force. There are few of them; a change makes the list anew.

use std::sync::Arc;

use model::{CustomRule, PolicyId, TenantId};
use traffic::{KeysOf, Rule};

use super::{CompileFault, Limited, compile_expression};
use crate::counters::{Key, Name};

/// One rule in force.
#[derive(Debug)]
pub(crate) struct RuleEntry {
    pub(crate) rule: Rule,
    /// What counts for each of its limits, and the limit.
    counters: Box<[(Key, Limited)]>,
}

impl RuleEntry {
    /// `None` for a rule that was not in force: rules are the super tenant's, and hold for every tenant's APIs.
    pub(super) fn compile(rule: &CustomRule) -> Result<Option<Arc<Self>>, CompileFault> {
        if !rule.deployed || rule.tenant != TenantId::SUPER {
            return Ok(None);
        }
        let compiled = Rule::compile(&rule.key_template, &rule.query, &compile_expression).map_err(|fault| CompileFault::Rule {
            policy: rule.id,
            name: rule.name.clone(),
            fault,
        })?;
        let limits = compiled.limits().iter().enumerate();
        let counters = limits.map(|(position, limit)| {
            let limited = Limited { quota: limit.quota(), by_bytes: limit.by_bytes() };
            (Self::counter(rule.id, position), limited)
        });
        Ok(Some(Arc::new(Self { counters: counters.collect(), rule: compiled })))
    }

    /// By id, so that an edited rule goes on where it was.
    fn counter(id: PolicyId, position: usize) -> Key {
        Key::of(&["custom rule", &id.to_string()]).part(position)
    }

    /// Its limits, and what counts for each.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (&traffic::RuleLimit, Key, Limited)> {
        self.rule.limits().iter().zip(&self.counters).map(|(limit, (counter, limited))| (limit, *counter, *limited))
    }

    /// The counter of one of its keys, on calls with credentials or (`open`) without.
    pub(crate) fn named(&self, counter: Key, key: &str, open: bool) -> Name {
        let key = Key::of(&["rule key", key]);
        match self.rule.keys_of(open) {
            KeysOf::Callers => counter.of_user(key),
            KeysOf::Anybody => counter.of_anybody(key),
        }
    }
}
