//! Clerk's objects, as far as recap needs them: the same in webhooks and in the Backend API.

use serde::Deserialize;

use crate::metadata::Metadata;

/// A user. Times are milliseconds since 1970.
#[derive(Clone, Deserialize)]
pub struct User {
    /// `user_…`
    pub id: String,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Which of the addresses is the primary one.
    pub primary_email_address_id: Option<String>,
    /// Every address.
    #[serde(default)]
    pub email_addresses: Vec<EmailAddress>,
    /// Readable by the frontend, in every organization.
    pub public_metadata: Option<Metadata>,
    /// When it changed last.
    pub updated_at: i64,
}

/// One address of a user.
#[derive(Clone, Deserialize)]
pub struct EmailAddress {
    /// `idn_…`
    pub id: Option<String>,
    /// The address.
    pub email_address: String,
}

/// That a user is in an organization. Times are milliseconds since 1970.
#[derive(Clone, Deserialize)]
pub struct Membership {
    /// In which.
    pub organization: Organization,
    /// Who.
    pub public_user_data: Option<PublicUserData>,
    /// Readable by the frontend, in this organization.
    pub public_metadata: Option<Metadata>,
    /// When it changed last.
    pub updated_at: i64,
}

/// An organization.
#[derive(Clone, Deserialize)]
pub struct Organization {
    /// `org_…`
    pub id: String,
}

/// What a membership says of its user.
#[derive(Clone, Deserialize)]
pub struct PublicUserData {
    /// `user_…`
    pub user_id: String,
}

/// What is left of a deleted user or organization. It has no times.
#[derive(Clone, Deserialize)]
pub struct Deleted {
    /// Of what.
    pub id: String,
}

impl User {
    /// The primary address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        let primary = self.primary_email_address_id.as_ref()?;
        let mut addresses = self.email_addresses.iter();
        let address = addresses.find(|address| address.id.as_ref() == Some(primary))?;
        Some(&address.email_address)
    }
}

impl Membership {
    /// Whose it is.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.public_user_data.as_ref().map(|data| data.user_id.as_str())
    }
}
