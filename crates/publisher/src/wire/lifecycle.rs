//! Where an API stands, what it has been through, and the answer to a step.

use serde::Serialize;

use crate::lifecycle::{DEPRECATE_OLD, RE_SUBSCRIBE, Standing};
use archive::shape::iso_time;

/// Schema `LifecycleState`. Its state is capitalised (`Published`), unlike the API's own field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleState {
    /// Capitalised.
    pub state: &'static str,
    /// Offered while there is an older version to think of.
    pub check_items: Vec<CheckItem>,
    /// What may be done.
    pub available_transitions: Vec<TransitionShown>,
}

/// Something to tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckItem {
    /// Its name, which the step's request repeats.
    pub name: &'static str,
    /// Whether it is ticked beforehand.
    pub value: bool,
    /// Always empty, as in 4.0.0.
    pub required_states: Vec<String>,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransitionShown {
    /// Its name.
    pub event: &'static str,
    /// Always empty, as in 4.0.0.
    pub target_state: &'static str,
}

impl From<&Standing> for LifecycleState {
    fn from(standing: &Standing) -> Self {
        let state = standing.api.state;
        let items: &[&'static str] = if standing.has_checklist { &[DEPRECATE_OLD, RE_SUBSCRIBE] } else { &[] };
        Self {
            state: state.title(),
            check_items: items.iter().map(|name| CheckItem { name, value: false, required_states: Vec::new() }).collect(),
            available_transitions: state
                .transitions()
                .iter()
                .map(|step| TransitionShown { event: step.action.name(), target_state: "" })
                .collect(),
        }
    }
}

/// Schema `WorkflowResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowResponse {
    /// `APPROVED`: the step is done.
    pub workflow_status: &'static str,
    /// Set by workflow engines only.
    pub json_payload: Option<String>,
    /// Where the API stands now.
    pub lifecycle_state: LifecycleState,
}

/// Schema `LifecycleHistory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LifecycleHistory {
    /// Number of steps.
    pub count: usize,
    /// Steps, oldest first.
    pub list: Vec<LifecycleEvent>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleEvent {
    /// State before; null for the API's making.
    pub previous_state: Option<&'static str>,
    /// State after.
    pub post_state: &'static str,
    /// Who.
    pub user: String,
    /// When.
    pub updated_time: String,
}

impl From<Vec<db::lifecycle_events::LifecycleEvent>> for LifecycleHistory {
    fn from(events: Vec<db::lifecycle_events::LifecycleEvent>) -> Self {
        let list: Vec<LifecycleEvent> = events
            .into_iter()
            .map(|event| LifecycleEvent {
                previous_state: event.from.map(model::LifecycleState::name),
                post_state: event.to.name(),
                user: event.user,
                updated_time: iso_time(event.at),
            })
            .collect();
        Self { count: list.len(), list }
    }
}
