//! The claims of a Clerk session token, version 1 and version 2, read into one identity.

use serde_json::{Map, Value};

/// Ids are 1–255 bytes without U+0000, as in the event contract.
const MAX_ID_BYTES: usize = 255;
/// What Clerk's ids of machines begin with.
const MACHINE: &str = "mch_";

/// The claims that matter; everything else in the token is ignored.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) azp: Option<String>,
    /// Unix seconds.
    pub(super) expires_at: f64,
    pub(super) issued_at: Option<f64>,
    /// Whether there is a session's id.
    pub(super) has_session: bool,
    sub: String,
    pending: bool,
    membership: Option<Membership>,
    actor: Option<String>,
}

/// Who a verified token speaks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) organization: Option<Membership>,
    /// Who acts as the user: the subject of the token's `act` (RFC 8693, 4.1).
    pub(crate) actor: Option<String>,
    /// When the token expires, in Unix seconds.
    pub(crate) expires: f64,
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
    /// The subject is a machine.
    Machine,
    /// A claim is missing or of another type.
    Form,
}

impl Claims {
    /// Reads the claims of a token.
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Self, Unusable> {
        let required = |name| text(claims, name)?.ok_or(Unusable::Form);
        Ok(Self {
            iss: required("iss")?,
            azp: text(claims, "azp")?,
            expires_at: seconds(claims, "exp")?.unwrap_or_default(),
            issued_at: seconds(claims, "iat")?,
            has_session: text(claims, "sid")?.is_some_and(|session| !session.is_empty()),
            sub: required("sub")?,
            pending: text(claims, "sts")?.as_deref() == Some("pending"),
            membership: membership(claims)?,
            actor: actor(claims)?,
        })
    }

    /// The identity, if the claims are a user's whose session is complete.
    pub(super) fn identity(self) -> Result<Identity, Unusable> {
        if self.pending {
            return Err(Unusable::Pending);
        }
        if self.sub.starts_with(MACHINE) {
            return Err(Unusable::Machine);
        }
        let organization = self.membership;
        let mut ids = std::iter::once(&self.sub).chain(organization.iter().map(|membership| &membership.org_id));
        if ids.any(|id| id.is_empty() || id.len() > MAX_ID_BYTES || id.contains('\0')) {
            return Err(Unusable::Id);
        }
        Ok(Identity {
            user_id: self.sub,
            organization,
            actor: self.actor,
            expires: self.expires_at,
        })
    }
}

/// Version 2 speaks through `o` alone: an `org_id` beside it is a customization and counts for nothing.
fn membership(claims: &Map<String, Value>) -> Result<Option<Membership>, Unusable> {
    let version = match claims.get("v") {
        None | Some(Value::Null) => 1,
        Some(version) => version.as_u64().ok_or(Unusable::Version)?,
    };
    let organization = object(claims, "o")?;
    let (claims, id, role, admin) = match version {
        1 => (claims, "org_id", "org_role", "org:admin"),
        2 => match organization {
            Some(organization) => (organization, "id", "rol", "admin"),
            None => return Ok(None),
        },
        _ => return Err(Unusable::Version),
    };
    let role = text(claims, role)?;
    match text(claims, id)? {
        Some(org_id) => Ok(Some(Membership {
            org_id,
            admin: role.as_deref() == Some(admin),
        })),
        // An organization of version 2 without an id is none that Clerk makes.
        None if version == 2 => Err(Unusable::Form),
        None => Ok(None),
    }
}

fn actor(claims: &Map<String, Value>) -> Result<Option<String>, Unusable> {
    match object(claims, "act")? {
        Some(actor) => Ok(Some(text(actor, "sub")?.unwrap_or_default())),
        None => Ok(None),
    }
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Unusable> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Unusable::Form),
    }
}

fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Unusable> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Unusable::Form),
    }
}

fn object<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Map<String, Value>>, Unusable> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Unusable::Form),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn identity(extra: &Value) -> Result<Identity, Unusable> {
        let mut claims = json!({ "iss": "i", "sub": "user_1" });
        claims
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        Claims::read(claims.as_object().unwrap())?.identity()
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
    fn an_organization_is_an_object_and_an_actor_is_named() {
        for array in [json!(["o", "admin"]), json!([]), json!("o"), json!(7)] {
            assert_eq!(identity(&json!({ "v": 2, "o": array })), Err(Unusable::Form), "{array}");
        }
        assert_eq!(
            identity(&json!({ "v": 2, "o": { "rol": "admin" } })),
            Err(Unusable::Form)
        );
        let acted = |act| identity(&json!({ "act": act })).map(|identity| identity.actor);
        assert_eq!(acted(json!({ "sub": "user_support" })), Ok(Some("user_support".into())));
        assert_eq!(acted(json!({ "iss": "x" })), Ok(Some(String::new())));
        assert_eq!(acted(json!(null)), Ok(None));
        assert_eq!(acted(json!(["user_support"])), Err(Unusable::Form));
    }

    #[test]
    fn a_pending_session_an_unknown_version_and_an_impossible_id_speak_for_nobody() {
        assert_eq!(identity(&json!({ "sts": "pending" })), Err(Unusable::Pending));
        assert_eq!(identity(&json!({ "v": 3 })), Err(Unusable::Version));
        assert_eq!(identity(&json!({ "v": "2" })), Err(Unusable::Version));
        assert_eq!(identity(&json!({ "sub": "mch_1" })), Err(Unusable::Machine));
        assert_eq!(identity(&json!({ "org_id": "" })), Err(Unusable::Id));
        assert_eq!(identity(&json!({ "org_id": "a\0b" })), Err(Unusable::Id));
        assert_eq!(identity(&json!({ "sub": "x".repeat(256) })), Err(Unusable::Id));
    }
}
