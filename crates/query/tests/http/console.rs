//! `/console`: the page and its files are served, strictly; tokens of a sample's people only where they may be.

use recap_console::{DevPeople, DevPerson, PublishableKey, SignIn};
use recap_query::Config;

use crate::world::{Reply, World, send};

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Reply {
    // What is compressed shall be seen as it comes.
    let client = reqwest::Client::builder().no_gzip().build().unwrap();
    let request = headers
        .iter()
        .fold(client.get(world.url(path)), |request, (name, value)| {
            request.header(*name, *value)
        });
    send(request).await
}

fn with(sign_in: Option<SignIn>) -> impl FnOnce(&mut Config) {
    move |config| config.console = sign_in
}

fn people() -> SignIn {
    SignIn::Dev(DevPeople::new(|| {
        let text = String::from;
        vec![DevPerson {
            id: text("one"),
            name: text("Ada Meyer"),
            role: text("Member"),
            organization: text("Acme"),
            sees: text("little"),
            token: text("secret"),
        }]
    }))
}

#[tokio::test]
async fn the_page_has_a_strict_policy_and_no_secret() {
    let world = World::start().await;
    let page = get(&world, "/console?view=conversations", &[]).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    for directive in [
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert!(page.text().contains("<meta name=\"recap-session\" content=\"token\">"));
}

#[tokio::test]
async fn clerk_is_allowed_where_it_signs_people_in() {
    let key = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
    let world = World::start_with(with(Some(SignIn::Clerk(key)))).await;
    let page = get(&world, "/console", &[]).await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self' https://clerk.example.com;"),
        "{policy}"
    );
    assert!(
        policy.contains("connect-src 'self' https://clerk.example.com;"),
        "{policy}"
    );
    assert!(
        page.text()
            .contains("<meta name=\"recap-clerk-host\" content=\"clerk.example.com\">")
    );
}

#[tokio::test]
async fn files_are_kept_forever_under_their_release_and_come_compressed() {
    let world = World::start().await;
    let path = format!("/console/files/{}/app/main.js", recap_console::release());
    let plain = get(&world, &path, &[("accept-encoding", "identity")]).await;
    assert_eq!(plain.body, recap_console::file("app/main.js").unwrap().bytes);
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(plain.header("content-type"), "text/javascript; charset=utf-8");
    for (accepted, coding) in [("br, gzip", "br"), ("gzip", "gzip"), ("gzip;q=1, br;q=0.5", "gzip")] {
        let compressed = get(&world, &path, &[("accept-encoding", accepted)]).await;
        assert_eq!(
            (compressed.status, compressed.header("content-encoding")),
            (200, coding),
            "{accepted}"
        );
        assert!(compressed.body.len() < plain.body.len());
        let vary: Vec<_> = compressed
            .headers
            .get_all("vary")
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert!(vary.contains(&"accept-encoding"), "{vary:?}");
    }
    let other = get(&world, "/console/files/0123456789abcdef/app/main.js", &[]).await;
    assert_eq!((other.status, other.header("cache-control")), (200, "no-store"));
    for missing in ["app/none.js", "index.html", "../Cargo.toml", "%2e%2e/Cargo.toml"] {
        let path = format!("/console/files/{}/{missing}", recap_console::release());
        assert_eq!(get(&world, &path, &[]).await.status, 404, "{missing}");
    }
    assert_eq!(
        get(&world, &path, &[("accept-encoding", "identity;q=0")]).await.status,
        406
    );
}

#[tokio::test]
async fn off_is_off() {
    let world = World::start_with(with(None)).await;
    for path in [
        "/console",
        "/console/dev-session.json",
        &format!("/console/files/{}/app/main.js", recap_console::release()),
    ] {
        assert_eq!(get(&world, path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn tokens_are_given_to_this_machine_s_own_page_alone() {
    let world = World::start_with(with(Some(people()))).await;
    let path = "/console/dev-session.json";
    let given = get(&world, path, &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(given.json()["people"][0]["token"], "secret");
    assert_eq!(given.header("cache-control"), "no-store");
    assert_eq!(given.header("access-control-allow-origin"), "");
    for headers in [
        [("host", "rebound.example.com")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        let refused = get(&world, path, &headers).await;
        assert_eq!(refused.status, 404, "{headers:?}");
        assert!(!refused.text().contains("secret"));
    }
    let production = World::start().await;
    assert_eq!(
        get(&production, path, &[("sec-fetch-site", "same-origin")])
            .await
            .status,
        404
    );
}
