//! The files, as they are compiled in.

use std::sync::LazyLock;

/// A file of the page.
#[derive(Debug)]
pub struct File {
    /// Below `web`.
    pub path: &'static str,
    /// As it is sent.
    pub bytes: &'static [u8],
}

impl File {
    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.') {
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        }
    }
}

macro_rules! files {
    ($($path:literal,)*) => {
        [$(File { path: $path, bytes: include_bytes!(concat!("../web/", $path)) }),*]
    };
}

/// In the order of their paths.
static FILES: &[File] = &files![
    "app/api/answer.js",
    "app/api/changes.js",
    "app/api/client.js",
    "app/api/contract.js",
    "app/api/names.js",
    "app/format.js",
    "app/html.js",
    "app/main.js",
    "app/session/claims.js",
    "app/session/clerk.js",
    "app/session/context.js",
    "app/session/dev.js",
    "app/session/session.js",
    "app/shell.js",
    "app/sign_in.js",
    "app/state/filter.js",
    "app/state/place.js",
    "app/state/range.js",
    "app/state/scheme.js",
    "app/ui/avatar.js",
    "app/ui/chart.js",
    "app/ui/choice.js",
    "app/ui/copy.js",
    "app/ui/disclosure.js",
    "app/ui/icon.js",
    "app/ui/json.js",
    "app/ui/notice.js",
    "app/ui/popover.js",
    "app/ui/time.js",
    "app/ui/virtual_rows.js",
    "app/views/breakdown.js",
    "app/views/charts.js",
    "app/views/conversation.js",
    "app/views/conversations.js",
    "app/views/export.js",
    "app/views/feedback.js",
    "app/views/figures.js",
    "app/views/filter_bar.js",
    "app/views/filter_values.js",
    "app/views/grid.js",
    "app/views/list_store.js",
    "app/views/news.js",
    "app/views/open_by_id.js",
    "app/views/overview.js",
    "app/views/range_picker.js",
    "app/views/tool_calls.js",
    "icon.svg",
    "styles/base.css",
    "styles/detail.css",
    "styles/list.css",
    "styles/overview.css",
    "styles/shell.css",
    "vendor/hooks.js",
    "vendor/htm.js",
    "vendor/preact.js",
    "vendor/uplot.css",
    "vendor/uplot.js",
];

static RELEASE: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for file in FILES {
        hasher.update(file.path.as_bytes()).update(&[0]).update(file.bytes);
    }
    hasher.finalize().to_hex()[..16].to_owned()
});

/// Every file but the page itself.
#[must_use]
pub fn files() -> &'static [File] {
    FILES
}

/// The file of this path.
#[must_use]
pub fn file(path: &str) -> Option<&'static File> {
    let found = FILES.binary_search_by(|file| file.path.cmp(path)).ok()?;
    FILES.get(found)
}

/// Names the content of all files together: what is asked for under it never changes.
#[must_use]
pub fn release() -> &'static str {
    &RELEASE
}
