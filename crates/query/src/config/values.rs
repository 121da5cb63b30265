//! Values that only this service has.

use http::HeaderValue;
use jsonwebtoken::DecodingKey;
use recap_service::config::Reader;
use reqwest::Url;

/// An RSA public key as PEM. Environment files often hold one on one line with `\n` spelled out.
pub(super) fn public_key() -> Reader<DecodingKey> {
    Reader::new(|pem| {
        if pem.contains("PRIVATE KEY") {
            return Err("holds a private key; it takes the public one".to_owned());
        }
        DecodingKey::from_rsa_pem(pem.replace("\\n", "\n").as_bytes())
            .map_err(|_| "must be an RSA public key as PEM".to_owned())
    })
}

/// An origin as browsers send it: no path, no `/` at the end.
pub(super) fn origin() -> Reader<HeaderValue> {
    Reader::new(|origin| {
        let is_origin = Url::parse(origin)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == origin);
        match HeaderValue::from_str(origin) {
            Ok(value) if is_origin => Ok(value),
            _ => Err("must list origins, as https://app.example.com".to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_no_path() {
        for good in ["https://a.example", "http://localhost:3000"] {
            assert!(origin().read(good).is_ok(), "{good}");
        }
        for bad in [
            "*",
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "ftp://a.example",
        ] {
            assert!(origin().read(bad).is_err(), "{bad}");
        }
    }
}
