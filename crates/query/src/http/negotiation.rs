//! What the client can read: media type and content coding (RFC 9110, 12.5).

use http::{
    HeaderMap,
    header::{ACCEPT, ACCEPT_ENCODING, HeaderName},
};

use super::problem::Problem;

/// A representation of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MediaType {
    Json,
    NdJson,
    Csv,
}

impl MediaType {
    /// What a list comes in, the preferred one first.
    pub(crate) const OF_LISTS: [Self; 3] = [Self::Json, Self::NdJson, Self::Csv];
    /// What one object comes in.
    pub(crate) const OF_OBJECTS: [Self; 1] = [Self::Json];

    fn range(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::NdJson => ("application", "x-ndjson"),
            Self::Csv => ("text", "csv"),
        }
    }

    /// The value of `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    Identity,
    Zstd,
    Brotli,
    Gzip,
}

impl Coding {
    const PREFERRED: [Self; 4] = [Self::Zstd, Self::Brotli, Self::Gzip, Self::Identity];

    /// The value of `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// The offered media type that the client wants most; of equals the first offered. `None` is a 406.
pub(crate) fn media_type(headers: &HeaderMap, offered: &[MediaType]) -> Option<MediaType> {
    let Some(wanted) = items(headers, &ACCEPT) else {
        return offered.first().copied();
    };
    best(offered, |media_type| {
        let (kind, subtype) = media_type.range();
        // The most specific range that covers the type decides, whatever the others say.
        let precedence = |range: &str| match range.split_once('/') {
            Some(("*", "*")) => Some(0),
            Some((k, "*")) if k.eq_ignore_ascii_case(kind) => Some(1),
            Some((k, s)) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        };
        let most_specific = wanted
            .iter()
            .filter_map(|(range, quality)| Some((precedence(range)?, *quality)))
            .max();
        most_specific.map_or(0, |(_, quality)| quality)
    })
}

/// The coding that the client wants most; of equals the one that compresses best for its time. `None` is a 406.
pub(crate) fn coding(headers: &HeaderMap) -> Option<Coding> {
    coding_of(headers, &Coding::PREFERRED)
}

/// The same of what is offered, the preferred one first.
pub(crate) fn coding_of(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let Some(wanted) = items(headers, &ACCEPT_ENCODING) else {
        return Some(Coding::Identity);
    };
    let quality_of = |name: &str| {
        wanted
            .iter()
            .find(|(coding, _)| coding.eq_ignore_ascii_case(name))
            .map(|(_, quality)| *quality)
    };
    best(offered, |coding| {
        // Identity is acceptable unless it is refused (12.5.3); 1 ranks it below whatever is named.
        let unnamed = u16::from(coding == Coding::Identity);
        quality_of(coding.name()).or_else(|| quality_of("*")).unwrap_or(unnamed)
    })
}

/// The same, or the refusal.
pub(crate) fn acceptable_coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    coding(headers).ok_or_else(|| Problem::not_acceptable("Answers come as zstd, br, gzip or identity."))
}

fn best<T: Copy>(offered: &[T], quality: impl Fn(T) -> u16) -> Option<T> {
    let mut best = None;
    for item in offered {
        let quality = quality(*item);
        if quality > best.map_or(0, |(_, quality)| quality) {
            best = Some((*item, quality));
        }
    }
    best.map(|(item, _)| item)
}

/// The header's items with their quality in thousandths; `None` without a header. An item that cannot be read is ignored.
fn items(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<(String, u16)>> {
    let mut items = None;
    for value in headers.get_all(name) {
        let items = items.get_or_insert_with(Vec::new);
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            if let (false, Some(quality)) = (range.is_empty(), quality.map_or(Some(1000), thousandths)) {
                items.push((range.to_owned(), quality));
            }
        }
    }
    // An empty header of this kind says nothing about media types, and "identity alone" about codings.
    items.filter(|items: &Vec<_>| !items.is_empty())
}

fn thousandths(text: &str) -> Option<u16> {
    let quality: f64 = text.parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    Some((quality * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn header(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_media_type_wanted_most_is_given() {
        let list = |accept: &str| media_type(&header(ACCEPT, accept), &MediaType::OF_LISTS);
        assert_eq!(
            media_type(&HeaderMap::new(), &MediaType::OF_LISTS),
            Some(MediaType::Json)
        );
        assert_eq!(list("*/*"), Some(MediaType::Json));
        assert_eq!(list("application/*"), Some(MediaType::Json));
        assert_eq!(list("text/csv"), Some(MediaType::Csv));
        assert_eq!(list("text/*;q=0.9, application/json;q=0.5"), Some(MediaType::Csv));
        assert_eq!(list("application/x-ndjson, */*;q=0.1"), Some(MediaType::NdJson));
        assert_eq!(list("application/json;q=0, */*"), Some(MediaType::NdJson));
        assert_eq!(list("image/png"), None);
        assert_eq!(list("application/json;q=0"), None);
        assert_eq!(media_type(&header(ACCEPT, "text/csv"), &MediaType::OF_OBJECTS), None);
    }

    #[test]
    fn the_coding_wanted_most_is_given() {
        let coding = |accept: &str| coding(&header(ACCEPT_ENCODING, accept));
        assert_eq!(super::coding(&HeaderMap::new()), Some(Coding::Identity));
        assert_eq!(coding("gzip, deflate, br, zstd"), Some(Coding::Zstd));
        assert_eq!(coding("gzip, br"), Some(Coding::Brotli));
        assert_eq!(coding("gzip;q=1.0, br;q=0.5"), Some(Coding::Gzip));
        assert_eq!(coding("deflate"), Some(Coding::Identity));
        assert_eq!(coding("identity;q=0, gzip"), Some(Coding::Gzip));
        assert_eq!(coding("identity;q=0"), None);
        assert_eq!(coding("*;q=0"), None);
        assert_eq!(coding("*"), Some(Coding::Zstd));
    }
}
