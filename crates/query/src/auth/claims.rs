//! The claims of a Clerk session token, version 1 and version 2, read into one identity.

use serde::Deserialize;

/// Ids are 1–255 bytes without U+0000, as in the event contract.
const MAX_ID_BYTES: usize = 255;

/// The claims that matter; everything else in the token is ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    sub: String,
    pub(super) azp: Option<String>,
    sts: Option<String>,
    v: Option<u64>,
    o: Option<Organization>,
    org_id: Option<String>,
    org_role: Option<String>,
}

/// The organization claim of version 2.
#[derive(Debug, Deserialize)]
struct Organization {
    id: String,
    rol: Option<String>,
}

/// Who a verified token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) organization: Option<Membership>,
}

/// The organization of the token and the role in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) org_id: String,
    pub(crate) admin: bool,
}

/// Why claims speak for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The session's `sts` is `pending`.
    Pending,
    /// A version this code has not been taught.
    Version,
    /// An id that no event can carry.
    Id,
}

impl Claims {
    /// Version 2 speaks through `o` alone: an `org_id` beside it is a customization and counts for nothing.
    pub(super) fn identity(self) -> Result<Identity, Unusable> {
        if self.sts.as_deref() == Some("pending") {
            return Err(Unusable::Pending);
        }
        let organization = match self.v {
            None | Some(1) => self.org_id.map(|org_id| Membership {
                org_id,
                admin: self.org_role.as_deref() == Some("org:admin"),
            }),
            Some(2) => self.o.map(|o| Membership {
                org_id: o.id,
                admin: o.rol.as_deref() == Some("admin"),
            }),
            Some(_) => return Err(Unusable::Version),
        };
        let mut ids = std::iter::once(&self.sub).chain(organization.iter().map(|membership| &membership.org_id));
        if ids.any(|id| id.is_empty() || id.len() > MAX_ID_BYTES || id.contains('\0')) {
            return Err(Unusable::Id);
        }
        Ok(Identity {
            user_id: self.sub,
            organization,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;

    fn identity(extra: &Value) -> Result<Identity, Unusable> {
        let mut claims = json!({ "iss": "i", "sub": "user_1" });
        claims
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        serde_json::from_value::<Claims>(claims).unwrap().identity()
    }

    fn organization(extra: &Value) -> Option<(String, bool)> {
        identity(extra)
            .unwrap()
            .organization
            .map(|membership| (membership.org_id, membership.admin))
    }

    #[test]
    fn version_1_speaks_through_flat_claims() {
        assert_eq!(
            organization(&json!({ "org_id": "o", "org_role": "org:admin" })),
            Some(("o".into(), true))
        );
        assert_eq!(
            organization(&json!({ "org_id": "o", "org_role": "org:member" })),
            Some(("o".into(), false))
        );
        assert_eq!(
            organization(&json!({ "v": 1, "org_id": "o", "org_role": "admin" })),
            Some(("o".into(), false))
        );
        assert_eq!(organization(&json!({})), None);
        assert_eq!(organization(&json!({ "o": { "id": "o", "rol": "admin" } })), None);
    }

    #[test]
    fn version_2_speaks_through_its_organization_alone() {
        assert_eq!(
            organization(&json!({ "v": 2, "o": { "id": "o", "rol": "admin", "slg": "s" } })),
            Some(("o".into(), true))
        );
        assert_eq!(
            organization(&json!({ "v": 2, "o": { "id": "o", "rol": "org:admin" } })),
            Some(("o".into(), false))
        );
        assert_eq!(
            organization(&json!({ "v": 2, "o": { "id": "o" }, "org_id": "x", "org_role": "org:admin" })),
            Some(("o".into(), false))
        );
        assert_eq!(
            organization(&json!({ "v": 2, "org_id": "x", "org_role": "org:admin" })),
            None
        );
    }

    #[test]
    fn a_pending_session_an_unknown_version_and_an_impossible_id_speak_for_nobody() {
        assert_eq!(identity(&json!({ "sts": "pending" })), Err(Unusable::Pending));
        assert_eq!(identity(&json!({ "v": 3 })), Err(Unusable::Version));
        assert_eq!(identity(&json!({ "org_id": "" })), Err(Unusable::Id));
        assert_eq!(identity(&json!({ "org_id": "a\0b" })), Err(Unusable::Id));
        assert_eq!(identity(&json!({ "sub": "x".repeat(256) })), Err(Unusable::Id));
    }
}
