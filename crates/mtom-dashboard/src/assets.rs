//! The page's files, embedded by `build.rs`.
//!
//! A name that is not in the table does not exist: no path from outside ever reaches the file system.
//! A debug build reads the files of the table from `web/`, so that an edit shows at the next reload.

use crate::caching::{is_known, takes_gzip};
use crate::join;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::path::Path;

/// One file of the page.
struct Asset {
    /// `parts/chart.js`
    name: &'static str,
    mime: &'static str,
    /// Asked for without the hash; it names the others with it.
    is_page: bool,
    plain: &'static [u8],
    gzip: &'static [u8],
}

const ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Changes with every file of the page; part of the address of all but the pages themselves.
const HASH: &str = env!("MTOM_TREE_HASH");

/// What stands in the pages for what only the build knows, and that.
const MARKS: [(&str, &str); 2] = include!(concat!(env!("OUT_DIR"), "/marks.rs"));

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const NO_CACHE: &str = "no-cache";
/// Where a debug build looks first.
const FOLDER: Option<&str> = if cfg!(debug_assertions) {
    Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web"))
} else {
    None
};

/// A page, such as `index.html`, or the worker that keeps it: asked for again at each visit.
pub(crate) fn page(name: &str, headers: &HeaderMap) -> Option<Response> {
    let asset = find(name)?;
    // Weak: the plain bytes and the gzipped ones share it.
    let tag = HeaderValue::from_str(&format!("W/\"{HASH}\""));
    let tag = tag.expect("hexadecimal digits and quotes are visible ASCII");
    let mut response = if is_known(headers, &tag) && FOLDER.is_none() {
        let common = [(header::CACHE_CONTROL, NO_CACHE), (header::VARY, "accept-encoding")];
        (StatusCode::NOT_MODIFIED, common).into_response()
    } else {
        serve(asset, headers, NO_CACHE, FOLDER)
    };
    response.headers_mut().insert(header::ETAG, tag);
    Some(response)
}

/// The file `name` of the tree `hash`. An old page asks for an old hash: that tree is gone.
pub(crate) fn file(hash: &str, name: &str, headers: &HeaderMap) -> Option<Response> {
    let asset = find(name).filter(|_| hash == HASH)?;
    let cache = if FOLDER.is_some() { NO_CACHE } else { IMMUTABLE };
    Some(serve(asset, headers, cache, FOLDER))
}

fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

fn serve(
    asset: &'static Asset,
    headers: &HeaderMap,
    cache: &'static str,
    folder: Option<&str>,
) -> Response {
    let common = [(header::CONTENT_TYPE, asset.mime), (header::CACHE_CONTROL, cache)];
    if let Some(bytes) = folder.and_then(|folder| from_disk(asset, Path::new(folder))) {
        return (common, bytes).into_response();
    }
    let vary = (header::VARY, "accept-encoding");
    if takes_gzip(headers) {
        let encoding = (header::CONTENT_ENCODING, "gzip");
        return (common, [vary, encoding], Bytes::from_static(asset.gzip)).into_response();
    }
    (common, [vary], Bytes::from_static(asset.plain)).into_response()
}

/// The file as it is in `folder` now; none: it is not there. What cannot be joined says why in its place.
fn from_disk(asset: &Asset, folder: &Path) -> Option<Vec<u8>> {
    if !asset.is_page
        && let Some(text) = joined(asset.name, folder)
    {
        return Some(text.into_bytes());
    }
    let bytes = std::fs::read(folder.join(asset.name)).ok()?;
    if !asset.is_page {
        return Some(bytes);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some(MARKS.iter().fold(text, |text, (mark, by)| text.replace(mark, by)).into_bytes())
}

/// The file `name` with all that belongs to it; none: it is no script or style sheet of ours. Where they cannot be
/// joined every script says why.
fn joined(name: &str, folder: &Path) -> Option<String> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let pages = ASSETS.iter().filter(|asset| asset.is_page);
    let pages: Vec<_> = pages.filter_map(|asset| read(asset.name)).collect();
    let pages: Vec<_> = pages.iter().map(|page| &**page).collect();
    match join::all(&pages, &read) {
        Ok(files) => files.into_iter().find(|file| file.name == name).map(|file| file.text),
        Err(error) => name.ends_with(".js").then(|| format!("throw new Error({error:?});\n")),
    }
}

#[cfg(test)]
mod tests;
