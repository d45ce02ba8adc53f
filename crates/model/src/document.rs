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
    /// Whoever works on the API in the publisher, and nobody in the developer portal but its author.
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
