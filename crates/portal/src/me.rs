//! What a developer does about themselves.

use axum::extract::State;
use http::Method;
use model::Secret;
use rest::{Body, Caller, Door, Refusal};
use serde::Deserialize;

use crate::{PasswordRefused, Room, SUBSCRIBE, entry};

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::POST, "/me/change-password", SUBSCRIBE, change_password)
}

/// `CurrentAndNewPasswords`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sent {
    current_password: String,
    new_password: String,
}

async fn change_password(State(room): State<Room>, caller: Caller, Body(sent): Body<Sent>) -> Result<(), Refusal> {
    let (current, new) = (Secret::new(sent.current_password), Secret::new(sent.new_password));
    room.passwords.change(&caller.user, current, new).await.map_err(|refused| match refused {
        PasswordRefused::Current => entry::CURRENT_PASSWORD.with("The current password is not right."),
        PasswordRefused::New(rule) => entry::NEW_PASSWORD.with(rule),
        PasswordRefused::Unavailable(_) => refused.into(),
    })
}
