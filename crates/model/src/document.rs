//! What people write about an API: documents, comments, stars.

use crate::{ApiId, CommentId, DocumentId, RatingId, Timestamp};

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// How to do something.
    HowTo,
    /// Samples and SDKs.
    Samples,
    /// A forum for everybody.
    PublicForum,
    /// A forum for customers.
    SupportForum,
    /// What messages look like.
    ApiMessageFormat,
    /// A definition.
    SwaggerDoc,
    /// Something else, which [`Document::other_kind`] names.
    Other,
}

/// Where a document's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentSource {
    /// HTML, kept here.
    Inline,
    /// Markdown, kept here.
    Markdown,
    /// Elsewhere, at [`Document::source_url`].
    Url,
    /// A file, kept here.
    File,
}

/// Who may read a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentVisibility {
    /// Whoever sees the API.
    ApiLevel,
    /// Of those, signed-in users of its tenant.
    Private,
    /// Its author, the API's provider and administrators.
    OwnerOnly,
}

/// A document of an API; its content is kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Stable id. In an upgraded installation this is the old artifact's registry UUID.
    pub id: DocumentId,
    /// Of which API.
    pub api: ApiId,
    /// Name, unique among the API's where it was given here; old installations may hold one twice.
    pub name: String,
    /// What it is about.
    pub kind: DocumentKind,
    /// Names the kind when it is [`DocumentKind::Other`].
    pub other_kind: Option<String>,
    /// For people.
    pub summary: Option<String>,
    /// Where its content is.
    pub source: DocumentSource,
    /// Address of the content, for [`DocumentSource::Url`].
    pub source_url: Option<String>,
    /// Name of the uploaded file, for [`DocumentSource::File`].
    pub file_name: Option<String>,
    /// Who may read it.
    pub visibility: DocumentVisibility,
    /// Who wrote it, as users are shown.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
}

impl Document {
    /// Whether somebody who may see the API may read this: `user` as users are shown, when signed in; `own_tenant` says whether that is
    /// the API's tenant, `is_owner` whether they provide the API or administer the tenant.
    pub fn is_shown_to(&self, user: Option<&str>, own_tenant: bool, is_owner: bool) -> bool {
        match self.visibility {
            DocumentVisibility::ApiLevel => true,
            DocumentVisibility::Private => user.is_some() && own_tenant,
            DocumentVisibility::OwnerOnly => user.is_some_and(|user| own_tenant && (is_owner || user == self.author)),
        }
    }
}

/// Text of a document written here or in an old installation, whose editors saved UTF-8 with or without byte order mark, or Latin-1.
pub fn document_text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    }
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word of the interface documents.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads [`Self::name`], in any letter case.
            pub fn parse(word: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|known| known.name().eq_ignore_ascii_case(word))
            }
        }
    };
}

words!(DocumentKind {
    HowTo = "HOWTO",
    Samples = "SAMPLES",
    PublicForum = "PUBLIC_FORUM",
    SupportForum = "SUPPORT_FORUM",
    ApiMessageFormat = "API_MESSAGE_FORMAT",
    SwaggerDoc = "SWAGGER_DOC",
    Other = "OTHER",
});
words!(DocumentSource { Inline = "INLINE", Markdown = "MARKDOWN", Url = "URL", File = "FILE" });
words!(DocumentVisibility { ApiLevel = "API_LEVEL", Private = "PRIVATE", OwnerOnly = "OWNER_ONLY" });

/// Longest comment in characters.
pub const COMMENT_MAX_CHARS: usize = 512;

/// Somebody's words about an API, or about another's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Stable id.
    pub id: CommentId,
    /// Of which API.
    pub api: ApiId,
    /// The comment it answers.
    pub parent: Option<CommentId>,
    /// What was said.
    pub text: String,
    /// `general` unless the client names another.
    pub category: String,
    /// Whether it was written in the publisher rather than the developer portal.
    pub in_publisher: bool,
    /// Who, as users are shown; kept by name, so that a comment outlives its author.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Option<Timestamp>,
}

/// The stars somebody gave an API, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// Stable id.
    pub id: RatingId,
    /// Of which API.
    pub api: ApiId,
    /// Who, as users are shown.
    pub user: String,
    /// 1 to 5.
    pub stars: u8,
}

/// The average of stars as portals show it: one digit after the point, rounded up, as the product people come from writes it.
pub fn shown_average(stars: u64, ratings: u64) -> String {
    if ratings == 0 {
        return "0.0".to_owned();
    }
    let tenths = stars.saturating_mul(10).div_ceil(ratings);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_rounded_up_to_one_digit() {
        for (stars, ratings, shown) in [(0, 0, "0.0"), (5, 1, "5.0"), (7, 2, "3.5"), (10, 3, "3.4"), (13, 3, "4.4")] {
            assert_eq!(shown_average(stars, ratings), shown);
        }
    }

    #[test]
    fn documents_are_shown_to_whom_they_are_meant() {
        let mut document = Document {
            id: DocumentId::random(),
            api: ApiId::random(),
            name: "d".to_owned(),
            kind: DocumentKind::HowTo,
            other_kind: None,
            summary: None,
            source: DocumentSource::Inline,
            source_url: None,
            file_name: None,
            visibility: DocumentVisibility::ApiLevel,
            author: "alice".to_owned(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        let mut rows = Vec::new();
        for visibility in [DocumentVisibility::ApiLevel, DocumentVisibility::Private, DocumentVisibility::OwnerOnly] {
            document.visibility = visibility;
            let shown = |user, own, owner| document.is_shown_to(user, own, owner);
            rows.push([
                shown(None, false, false),
                shown(Some("bob@acme.com"), false, false),
                shown(Some("bob"), true, false),
                shown(Some("alice"), true, false),
                shown(Some("admin"), true, true),
            ]);
        }
        assert_eq!(rows, [[true; 5], [false, false, true, true, true], [false, false, false, true, true]]);
    }

    #[test]
    fn old_text_reads_in_either_encoding() {
        assert_eq!(document_text(b"Caf\xe9"), "Café");
        assert_eq!(document_text("\u{feff}Café".as_bytes()), "Café");
    }
}
