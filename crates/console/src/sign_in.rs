//! How one signs in.

use std::{fmt, sync::Arc};

use serde::Serialize;

use crate::PublishableKey;

/// Where the page's session tokens come from.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// Clerk's own script.
    Clerk(PublishableKey),
    /// The browser's cookie, which the service accepts.
    Cookie,
    /// Whoever looks pastes a token.
    Token,
    /// A choice of people, with tokens for each: only where everything is a sample.
    Dev(DevPeople),
}

/// Somebody whom one can be in `recap dev`.
#[derive(Debug, Clone, Serialize)]
pub struct DevPerson {
    /// Tells people apart.
    pub id: String,
    /// First and last name.
    pub name: String,
    /// In their organization.
    pub role: String,
    /// The organization's name.
    pub organization: String,
    /// In a few words, for who chooses.
    pub sees: String,
    /// A session token, valid from now on.
    pub token: String,
}

/// Makes the people, their tokens signed anew each time.
#[derive(Clone)]
pub struct DevPeople(Arc<dyn Fn() -> Vec<DevPerson> + Send + Sync>);

impl DevPeople {
    /// People as `make` gives them.
    pub fn new(make: impl Fn() -> Vec<DevPerson> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// The people, with fresh tokens.
    #[must_use]
    pub fn people(&self) -> Vec<DevPerson> {
        (self.0)()
    }
}

impl fmt::Debug for DevPeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DevPeople")
    }
}
