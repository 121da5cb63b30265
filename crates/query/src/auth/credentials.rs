//! Where a request carries its token: the one `Authorization: Bearer` header (RFC 6750, 2.1), else Clerk's cookie where that is switched on.

use http::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};

use super::verifier::Refused;

/// Clerk's cookie with the session token of the page's own origin.
const SESSION_COOKIE: &str = "__session";

/// Whether the session's cookie counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookies {
    /// Nothing is read from cookies.
    Ignored,
    /// `__session` is read where there is no `Authorization` header.
    Accepted,
}

/// The token of a request with these headers.
pub(super) fn token(headers: &HeaderMap, cookies: Cookies) -> Result<&str, Refused> {
    match bearer(headers) {
        Ok(Some(token)) => Ok(token),
        Ok(None) if cookies == Cookies::Accepted => cookie(headers),
        Ok(None) => Err(Refused::Missing),
        Err(refused) => Err(refused),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(Refused::Malformed);
    }
    let text = header.to_str().map_err(|_| Refused::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refused::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::Missing);
    }
    let token = token.trim_start_matches(' ');
    if token.is_empty() {
        Err(Refused::Malformed)
    } else {
        Ok(Some(token))
    }
}

/// Two cookies of the name may come from two domains, of which one is not ours to trust: neither counts.
fn cookie(headers: &HeaderMap) -> Result<&str, Refused> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut tokens = pairs
        .filter(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value);
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if !token.is_empty() => Ok(token),
        (Some(_), Some(_)) => Err(Refused::Malformed),
        _ => Err(Refused::Missing),
    }
}
