//! The life of an API: its states and the actions that lead from one to the next.
//!
//! Source: WSO2 API Manager 4.0.0's `APILifeCycle`. Two things are mended on purpose: `Publish` is offered for a prototype (4.0.0 hides it
//! over REST though its definition has it), and `Demote to Created` of a published API is kept.

use std::fmt;

/// Where an API stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleState {
    /// Made, not offered.
    Created,
    /// Offered without subscription, for trying out.
    Prototyped,
    /// Offered.
    Published,
    /// Offered, but every call answers 503.
    Blocked,
    /// Still served to subscribers; no new ones.
    Deprecated,
    /// Gone from the gateway for good.
    Retired,
}

/// What a publisher may do with an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// `Publish`
    Publish,
    /// `Deploy as a Prototype`
    DeployAsPrototype,
    /// `Demote to Created`
    DemoteToCreated,
    /// `Block`
    Block,
    /// `Deprecate`
    Deprecate,
    /// `Re-Publish`
    RePublish,
    /// `Retire`
    Retire,
}

/// A permitted step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What is done.
    pub action: Action,
    /// Where it leads.
    pub to: LifecycleState,
}

/// The action is not allowed in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("'{action}' is not allowed while the API is {state}")]
pub struct Refused {
    /// What was asked.
    pub action: Action,
    /// Where the API stands.
    pub state: LifecycleState,
}

impl LifecycleState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Created, Self::Prototyped, Self::Published, Self::Blocked, Self::Deprecated, Self::Retired];

    /// Upper case, as the API object and the old databases write it (`PUBLISHED`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Prototyped => "PROTOTYPED",
            Self::Published => "PUBLISHED",
            Self::Blocked => "BLOCKED",
            Self::Deprecated => "DEPRECATED",
            Self::Retired => "RETIRED",
        }
    }

    /// Capitalised, as `lifecycle-state` writes it (`Published`).
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Prototyped => "Prototyped",
            Self::Published => "Published",
            Self::Blocked => "Blocked",
            Self::Deprecated => "Deprecated",
            Self::Retired => "Retired",
        }
    }

    /// Reads either spelling, in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(text.trim()))
    }

    /// Steps open from here, in the order they are offered.
    #[must_use]
    pub fn transitions(self) -> &'static [Transition] {
        use Action as A;
        use LifecycleState as S;
        const fn to(action: Action, to: LifecycleState) -> Transition {
            Transition { action, to }
        }
        match self {
            S::Created => const { &[to(A::Publish, S::Published), to(A::DeployAsPrototype, S::Prototyped)] },
            S::Prototyped => const { &[to(A::Publish, S::Published), to(A::DemoteToCreated, S::Created)] },
            S::Published => {
                const {
                    &[
                        to(A::Block, S::Blocked),
                        to(A::DeployAsPrototype, S::Prototyped),
                        to(A::DemoteToCreated, S::Created),
                        to(A::Deprecate, S::Deprecated),
                    ]
                }
            }
            S::Blocked => const { &[to(A::Deprecate, S::Deprecated), to(A::RePublish, S::Published)] },
            S::Deprecated => const { &[to(A::Retire, S::Retired)] },
            S::Retired => &[],
        }
    }

    /// Where `action` leads from here.
    ///
    /// # Errors
    /// [`Refused`] when it is not open in this state.
    pub fn after(self, action: Action) -> Result<Self, Refused> {
        self.transitions().iter().find(|t| t.action == action).map(|t| t.to).ok_or(Refused { action, state: self })
    }

    /// Whether the developer portal may list it.
    #[must_use]
    pub fn is_offered(self) -> bool {
        matches!(self, Self::Published | Self::Prototyped)
    }

    /// Whether a deployed revision answers on the gateway (a blocked API answers, with 503).
    #[must_use]
    pub fn is_served(self) -> bool {
        !matches!(self, Self::Retired)
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 7] =
        [Self::Publish, Self::DeployAsPrototype, Self::DemoteToCreated, Self::Block, Self::Deprecate, Self::RePublish, Self::Retire];

    /// The name used over REST.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "Publish",
            Self::DeployAsPrototype => "Deploy as a Prototype",
            Self::DemoteToCreated => "Demote to Created",
            Self::Block => "Block",
            Self::Deprecate => "Deprecate",
            Self::RePublish => "Re-Publish",
            Self::Retire => "Retire",
        }
    }

    /// Reads the REST name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == text)
    }
}

impl fmt::Display for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_steps_are_open() {
        assert_eq!(LifecycleState::Created.after(Action::Publish), Ok(LifecycleState::Published));
        assert_eq!(LifecycleState::Deprecated.after(Action::Retire), Ok(LifecycleState::Retired));
        for action in Action::ALL {
            assert!(LifecycleState::Retired.after(action).is_err());
        }
        assert_eq!(
            LifecycleState::Published.after(Action::Retire),
            Err(Refused { action: Action::Retire, state: LifecycleState::Published })
        );
    }

    #[test]
    fn names_read_back() {
        for state in LifecycleState::ALL {
            assert_eq!(LifecycleState::parse(state.title()), Some(state));
        }
        for action in Action::ALL {
            assert_eq!(Action::parse(action.name()), Some(action));
        }
    }
}
