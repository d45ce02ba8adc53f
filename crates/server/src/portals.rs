//! The portals' pages on the REST port: files that `build.rs` put into the binary, at `/devportal/`.
//!
//! Pages only; what they show they read from the public REST interfaces, like anybody. A page's own addresses (`/devportal/apis/…`) are no
//! files, so every address that could be a page's answers with the page and leaves it to the page what is there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Path from `web/dist` and content.
type Files = &'static [(&'static str, &'static [u8])];

const BUILT: Files = include!(concat!(env!("OUT_DIR"), "/portal_files.rs"));

const DEVPORTAL: &str = "devportal";

/// Everything from here, nothing framed, no script or style in the page's text. The one hash is that of an empty text: the page makes empty
/// `<style>` elements and fills them through the DOM, which a policy rightly does not forbid.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; \
                      img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Below these there are no pages: a file that is not there is not there, and `services/` is kept for signing in.
const NO_PAGES: [&str; 2] = ["assets/", "services/"];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>No portal</title><p>This tidegate was built without its \
                         portals. Run <code>cargo xtask ui</code>, build it again and start it again.</p></html>";

/// Routes of every portal.
pub(crate) fn router() -> Router {
    portal(DEVPORTAL, BUILT)
}

fn portal(name: &'static str, files: Files) -> Router {
    let portal = Arc::new(Portal::of(name, files));
    Router::new()
        .route(&format!("/{name}"), get(move || async move { Redirect::permanent(&format!("/{name}/")) }))
        .route(&format!("/{name}/"), get(root))
        .route(&format!("/{name}/{{*path}}"), get(below))
        .with_state(portal)
}

async fn root(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Response {
    portal.answer("", &headers)
}

async fn below(State(portal): State<Arc<Portal>>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    portal.answer(&path, &headers)
}

struct Portal {
    /// By path below the portal's own.
    files: HashMap<&'static str, File>,
}

struct File {
    content: &'static [u8],
    etag: String,
    media_type: &'static str,
}

impl Portal {
    fn of(name: &str, files: Files) -> Self {
        let own = files.iter().filter_map(|(path, content)| {
            let path = path.strip_prefix(name)?.strip_prefix('/')?;
            Some((path, File { content, etag: rest::etag(content), media_type: media_type(path) }))
        });
        Self { files: own.collect() }
    }

    fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let Some(page) = self.files.get("index.html") else { return not_built() };
        match self.files.get(path) {
            Some(file) => file.answer(path, headers),
            None if NO_PAGES.iter().any(|kept| path.starts_with(kept)) => with_common(StatusCode::NOT_FOUND.into_response()),
            None => page.answer("index.html", headers),
        }
    }
}

impl File {
    fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        // The name of an asset has its content's hash in it.
        let keep = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let is_known = known.map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == self.etag);
        let kept = [(CACHE_CONTROL, keep), (ETAG, self.etag.as_str())];
        if is_known {
            return with_common((StatusCode::NOT_MODIFIED, kept).into_response());
        }
        with_common((kept, [(CONTENT_TYPE, self.media_type)], Bytes::from_static(self.content)).into_response())
    }
}

fn not_built() -> Response {
    with_common(
        (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], NOT_BUILT).into_response(),
    )
}

fn with_common(mut response: Response) -> Response {
    const COMMON: [(HeaderName, &str); 3] =
        [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (REFERRER_POLICY, "same-origin")];
    for (name, value) in COMMON {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// By the endings that a build of the portals makes.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Files =
        &[("devportal/index.html", b"<page>"), ("devportal/assets/a-1.js", b"script"), ("devportal2/x.html", b""), ("y.html", b"")];

    fn ask(files: Files, path: &str, tag: Option<&str>) -> Response {
        let headers = tag.map(|tag| (IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap())).into_iter().collect();
        Portal::of(DEVPORTAL, files).answer(path, &headers)
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn pages_and_files_are_told_apart() {
        for page in ["", "apis", "apis/7/overview", "x.html"] {
            let answer = ask(FILES, page, None);
            assert_eq!((answer.status().as_u16(), header(&answer, CONTENT_TYPE)), (200, "text/html; charset=utf-8"), "{page}");
            assert_eq!(header(&answer, CACHE_CONTROL), "no-cache");
        }
        let script = ask(FILES, "assets/a-1.js", None);
        assert_eq!(header(&script, CONTENT_TYPE), "text/javascript; charset=utf-8");
        assert!(header(&script, CACHE_CONTROL).contains("immutable"));
        for gone in ["assets/old.js", "services/auth/login"] {
            assert_eq!(ask(FILES, gone, None).status(), 404, "{gone}");
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let tag = header(&ask(FILES, "", None), ETAG).to_owned();
        assert_eq!(ask(FILES, "apis", Some(&format!("\"other\", W/{tag}"))).status(), 304);
        assert_eq!(ask(FILES, "apis", Some("\"other\"")).status(), 200);
    }

    #[test]
    fn every_answer_is_guarded() {
        for (files, path) in [(FILES, ""), (FILES, "assets/gone"), (&[] as Files, "")] {
            let answer = ask(files, path, None);
            assert!(header(&answer, CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"));
            assert_eq!(header(&answer, X_CONTENT_TYPE_OPTIONS), "nosniff");
        }
    }

    #[test]
    fn a_binary_without_portals_says_how_to_get_them() {
        assert_eq!(ask(&[], "apis", None).status(), 404);
        assert!(NOT_BUILT.contains("cargo xtask ui"));
    }
}
