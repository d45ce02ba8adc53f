//! Comments.

use archive::shape::iso_time;
use serde_json::{Value, json};

/// Schema `Comment`, without its answers.
pub(crate) fn comment(comment: &model::Comment) -> Value {
    json!({
        "id": comment.id.to_string(),
        "content": comment.text,
        "createdTime": iso_time(comment.created_at),
        "createdBy": comment.author,
        "updatedTime": comment.updated_at.map(iso_time),
        "category": comment.category,
        "parentCommentId": comment.parent.map(|id| id.to_string()),
        "entryPoint": if comment.in_publisher { "publisher" } else { "devPortal" },
        "commenterInfo": null,
        "replies": null,
    })
}
