//! The page and its Content-Security-Policy.

use std::fmt::Write as _;

use crate::{SignIn, files, release};

/// Where Clerk keeps people's pictures.
const CLERK_IMAGES: &str = "https://img.clerk.com";
/// The order in which style sheets count.
const STYLES: [&str; 6] = [
    "vendor/uplot.css",
    "styles/base.css",
    "styles/shell.css",
    "styles/list.css",
    "styles/detail.css",
    "styles/overview.css",
];

/// The page. Every address in it is relative to `/console`, so that it works under any path prefix.
#[must_use]
pub fn page(sign_in: &SignIn) -> String {
    let base = format!("console/files/{}", release());
    include_str!("../web/index.html")
        .replace("{settings}\n", &settings(sign_in))
        .replace("{links}\n", &links(&base))
        .replace("{files}", &base)
}

fn settings(sign_in: &SignIn) -> String {
    let session = match sign_in {
        SignIn::Clerk(_) => "clerk",
        SignIn::Cookie => "cookie",
        SignIn::Token => "token",
        SignIn::Dev(_) => "dev",
    };
    let mut lines = meta("session", session);
    if let SignIn::Clerk(key) = sign_in {
        lines += &meta("clerk-key", key.key());
        lines += &meta("clerk-host", key.host());
    }
    lines
}

fn meta(name: &str, content: &str) -> String {
    format!("<meta name=\"recap-{name}\" content=\"{content}\">\n")
}

/// Style sheets, and all modules at once: a browser would else find one behind the other.
fn links(base: &str) -> String {
    let mut lines = String::new();
    for style in STYLES {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "<link rel=\"stylesheet\" href=\"{base}/{style}\">");
    }
    let modules = files()
        .iter()
        .filter(|file| file.content_type().starts_with("text/javascript"))
        .map(|file| file.path);
    for module in modules {
        let _ = writeln!(lines, "<link rel=\"modulepreload\" href=\"{base}/{module}\">");
    }
    lines
}

/// What the page may load and do: its own files, the API, and Clerk where that signs people in.
///
/// Of what [Clerk asks for](https://clerk.com/docs/guides/secure/best-practices/csp-headers), its Frontend API, its pictures and its worker are here. What its
/// components need is not, since signing in happens on Clerk's own pages: inline styles, `challenges.cloudflare.com`, `*.protect.clerk.com`.
#[must_use]
pub fn policy(sign_in: &SignIn) -> String {
    let (clerk, images, rest) = match sign_in {
        SignIn::Clerk(key) => (
            format!(" https://{}", key.host()),
            format!(" {CLERK_IMAGES}"),
            "worker-src 'self' blob:",
        ),
        // Clerk's script makes no promise about trusted types; everything here keeps them.
        _ => (
            String::new(),
            String::new(),
            "require-trusted-types-for 'script'; trusted-types 'none'",
        ),
    };
    format!(
        "default-src 'none'; script-src 'self'{clerk}; style-src 'self'; img-src 'self'{images}; connect-src 'self'{clerk}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; {rest}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PublishableKey;

    #[test]
    fn the_policy_allows_nobody_but_clerk() {
        assert!(!policy(&SignIn::Token).contains("http"));
        let clerk = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k").map(SignIn::Clerk);
        let policy = clerk.map(|clerk| policy(&clerk)).unwrap_or_default();
        assert!(
            policy.contains("script-src 'self' https://clerk.example.com;"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn the_page_has_no_script_or_style_of_its_own() {
        let page = page(&SignIn::Token);
        assert!(!page.contains("<style") && !page.contains(" style="), "{page}");
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(!page.contains('{'), "a placeholder is left: {page}");
    }
}
