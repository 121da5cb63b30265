//! The console: a page to look at conversations with, over the public API and nothing else.
//!
//! This crate holds the page's files, as they are sent, and what depends on how one signs in: the page itself and its policy. It serves nothing: the query
//! service does, at `/console`. The files are plain ES modules, so that no build stands before `cargo build`; what comes from elsewhere is in `web/vendor`,
//! each file with its version, licence and hash in `web/vendor/manifest.json`.
//!
//! Start reading at `web/app/main.js`, then `web/app/shell.js`. What the URL holds is `web/app/state/place.js`; every question to the API goes through
//! `web/app/api/client.js`.
//!
//! ```
//! use recap_console::{SignIn, page, policy};
//!
//! let html = page(&SignIn::Token);
//! assert!(html.contains("app/main.js"));
//! assert!(policy(&SignIn::Token).contains("script-src 'self';"));
//! ```

mod files;
mod page;
mod publishable_key;
mod sign_in;

pub use files::{File, file, files, release};
pub use page::{page, policy};
pub use publishable_key::{InvalidKey, PublishableKey};
pub use sign_in::{DevPeople, DevPerson, SignIn};
