//! Comments and ratings. Who wrote a comment is kept by name, whether or not that user still is; a rating belongs to a subscriber.

use std::collections::{HashMap, HashSet};

use model::{Comment, CommentId, Rating, RatingId, Timestamp};

use super::{About, Carried, CarriedApi, Desk, documents, said};

/// The comments.
pub(super) fn comments(desk: &mut Desk<'_>, apis: &[Carried<CarriedApi>]) -> Vec<Carried<Comment>> {
    const TABLE: &str = "AM_API_COMMENTS";
    let ids = documents::carried_ids(apis);
    let mut done = Vec::new();
    for old in &desk.old.apis {
        let api = ids.get(documents::api_key(old).as_str());
        for row in &old.comments {
            let origin = format!("{TABLE} {}", row.id);
            let (Some(api), Some(text)) = (api, row.text.as_deref().filter(|t| !t.trim().is_empty())) else {
                let why = if api.is_none() { "its API could not be carried" } else { "says nothing" };
                desk.ledger.skipped((TABLE, desk.owners.api(row.api_id)), why, 1);
                desk.note(About::Feedback, "The comment is left out.", origin, why);
                continue;
            };
            desk.ledger.imported((TABLE, desk.owners.api(row.api_id)));
            let comment = Comment {
                id: CommentId::derived(&[desk.input.source, &row.id.to_string()]),
                api: *api,
                parent: None,
                text: text.to_owned(),
                category: "general".to_owned(),
                in_publisher: false,
                author: desk.names.user(row.user.as_deref().unwrap_or_default(), None).to_string(),
                created_at: desk.at(TABLE, "DATE_COMMENTED", row.at).unwrap_or(Timestamp(0)),
                updated_at: None,
            };
            done.push(Carried { key: row.id.to_string(), value: comment });
        }
    }
    orphans(desk, TABLE, desk.old.orphans.comments);
    done
}

/// The ratings, one a user and API.
pub(super) fn ratings(desk: &mut Desk<'_>, apis: &[Carried<CarriedApi>]) -> Vec<Carried<Rating>> {
    const TABLE: &str = "AM_API_RATINGS";
    let ids = documents::carried_ids(apis);
    let subscribers: HashMap<i64, String> =
        desk.old.subscribers.iter().map(|s| (s.id, desk.names.user(&s.user_id, Some(s.tenant_id)).to_string())).collect();
    let mut done = Vec::new();
    let mut taken = HashSet::new();
    for old in &desk.old.apis {
        let api = ids.get(documents::api_key(old).as_str());
        // The later of two is what the user said last.
        for row in old.ratings.iter().rev() {
            let origin = format!("{TABLE} {}", row.id);
            let stars = row.rating.and_then(|r| u8::try_from(r).ok()).filter(|r| (1..=5).contains(r));
            let user = subscribers.get(&row.subscriber_id).and_then(|u| said(Some(u)));
            let (Some(api), Some(user), Some(stars)) = (api, user, stars) else {
                let why = match (api, user) {
                    (None, _) => "its API could not be carried",
                    (_, None) => "its subscriber is gone",
                    _ => "is not between 1 and 5",
                };
                desk.ledger.skipped((TABLE, desk.owners.api(row.api_id)), why, 1);
                desk.warn(About::Feedback, "The rating is left out, and the API's average is without it.", origin, why);
                continue;
            };
            if !taken.insert((*api, user.to_owned())) {
                desk.ledger.merged((TABLE, desk.owners.api(row.api_id)), 1);
                desk.note(About::Feedback, "The later of the two is carried.", origin, format!("{user} rated the API twice"));
                continue;
            }
            desk.ledger.imported((TABLE, desk.owners.api(row.api_id)));
            let id = RatingId::derived(&[desk.input.source, &row.id.to_string()]);
            done.push(Carried { key: row.id.to_string(), value: Rating { id, api: *api, user: user.to_owned(), stars } });
        }
    }
    orphans(desk, TABLE, desk.old.orphans.ratings);
    done
}

fn orphans(desk: &mut Desk<'_>, table: &'static str, rows: u64) {
    desk.ledger.skipped(table, "its API is gone", rows);
    if rows > 0 {
        desk.note(About::Feedback, "Left out with their API.", table, format!("{rows} row(s) of APIs that are gone"));
    }
}
