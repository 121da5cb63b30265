//! Whose token is accepted, and what becomes of the others.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::FutureExt as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use recap_query::config::KeySource;
use recap_service::clock;
use recap_testing::clerk::{Session, SigningKey};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::world::{LIST, ORG, RANGE, World, conversation, eventually, send};

fn path() -> String {
    format!("{LIST}?{RANGE}&limit=5")
}

fn now() -> i64 {
    clock::now().timestamp()
}

/// The claims of a good token, changed by `change`; `exp_in` and `nbf_in` are seconds from now.
fn claims(world: &World, change: &Value) -> Value {
    let mut claims = Session::member(ORG, "ada").claims_v2(&world.clerk.issuer());
    for (name, value) in change.as_object().unwrap() {
        if let Some(name) = name.strip_suffix("_in") {
            claims[name] = json!(now() + value.as_i64().unwrap());
        } else if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

async fn status(world: &World, token: &str) -> u16 {
    let reply = world.get(token, &path()).await;
    if reply.status == 401 {
        assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json()["status"], 401);
    }
    reply.status
}

#[tokio::test]
async fn claims_decide() {
    let world = World::start_with(|config| {
        config.clerk.authorized_parties = vec!["https://app.example.com".into()];
    })
    .await;
    let azp = json!("https://app.example.com");
    let cases = [
        (json!({ "azp": azp }), 200),
        (json!({ "azp": azp, "exp_in": -2 }), 200),
        (json!({ "azp": azp, "exp_in": -8 }), 401),
        (json!({ "azp": azp, "exp": null }), 401),
        (json!({ "azp": azp, "exp": "never" }), 401),
        (json!({ "azp": azp, "exp": -1 }), 401),
        (json!({ "azp": azp, "nbf_in": 4 }), 200),
        (json!({ "azp": azp, "nbf_in": 30 }), 401),
        (json!({ "azp": azp, "iss": "https://other.example.com" }), 401),
        (json!({ "azp": azp, "iss": [world.clerk.issuer()] }), 401),
        (json!({ "azp": azp, "iss": null }), 401),
        (json!({ "azp": azp, "sub": null }), 401),
        (json!({ "azp": azp, "sub": "" }), 401),
        (json!({ "azp": azp, "sub": 7 }), 401),
        (json!({ "azp": azp, "sts": "pending" }), 401),
        (json!({ "azp": azp, "v": 3 }), 401),
        (json!({ "azp": azp, "o": { "id": "" } }), 401),
        (json!({ "azp": azp, "o": { "id": "a\u{0}b" } }), 401),
        (json!({ "azp": azp, "o": null }), 403),
        (
            json!({ "azp": azp, "o": null, "org_id": ORG, "org_role": "org:admin" }),
            403,
        ),
        (json!({ "azp": azp, "aud": "something" }), 200),
        (json!({}), 401),
        (json!({ "azp": "https://evil.example.com" }), 401),
        (json!({ "azp": ["https://app.example.com"] }), 401),
    ];
    // Whatever the first request has to wait for is not held against the times.
    let warm = json!({ "azp": azp });
    let token = world.clerk.key().sign(&claims(&world, &warm)).unwrap();
    assert_eq!(status(&world, &token).await, 200);
    for (change, expected) in cases {
        let token = world.clerk.key().sign(&claims(&world, &change)).unwrap();
        assert_eq!(status(&world, &token).await, expected, "{change}");
    }
}

#[tokio::test]
async fn both_versions_say_who_sees_what() {
    let world = World::start().await;
    world
        .publish(&[
            conversation("a", "ada", "2024-03-01T10:00:00Z"),
            conversation("l", "lin", "2024-03-01T11:00:00Z"),
        ])
        .await;
    let all = format!("{LIST}?{RANGE}&allInOrg=true");
    let clerk = &world.clerk;
    let (member, admin) = (Session::member(ORG, "ada"), Session::admin(ORG, "ada"));
    for (member, admin) in [
        (clerk.token(&member).unwrap(), clerk.token(&admin).unwrap()),
        (clerk.token_v1(&member).unwrap(), clerk.token_v1(&admin).unwrap()),
    ] {
        assert_eq!(world.get(&member, &path()).await.ids(), ["a"]);
        assert_eq!(world.get(&admin, &path()).await.ids(), ["a"]);
        assert_eq!(world.get(&admin, &all).await.ids(), ["l", "a"]);
        assert_eq!(world.get(&member, &all).await.status, 403);
        assert_eq!(world.get(&member, &format!("{}&userId=lin", path())).await.status, 403);
        assert_eq!(world.get(&admin, &format!("{}&userId=lin", path())).await.status, 403);
        assert_eq!(world.get(&admin, &format!("{all}&userId=lin")).await.ids(), ["l"]);
        assert_eq!(world.get(&member, &format!("{}&userId=ada", path())).await.ids(), ["a"]);
    }
    let nobody = Session {
        org_id: None,
        ..Session::admin(ORG, "ada")
    };
    assert_eq!(world.get(&clerk.token(&nobody).unwrap(), &path()).await.status, 403);
    assert_eq!(world.get(&clerk.token_v1(&nobody).unwrap(), &path()).await.status, 403);
}

#[tokio::test]
async fn only_the_instances_own_rs256_signature_counts() {
    let world = World::start().await;
    let key = world.clerk.key();
    let good = key.sign(&claims(&world, &json!({}))).unwrap();
    assert_eq!(status(&world, &good).await, 200);

    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let payload = encode(&claims(&world, &json!({ "o": { "id": ORG, "rol": "admin" } })));
    let unsigned = |alg: &str| {
        format!(
            "{}.{payload}.",
            encode(&json!({ "alg": alg, "typ": "JWT", "kid": key.kid() }))
        )
    };
    let parts: Vec<&str> = good.split('.').collect();
    let with_secret = |secret: &[u8]| {
        let header = Header {
            kid: Some(key.kid().to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, &claims(&world, &json!({})), &EncodingKey::from_secret(secret)).unwrap()
    };
    let with_header = |change: &dyn Fn(&mut Header)| {
        let mut header = Header {
            kid: Some(key.kid().to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        change(&mut header);
        key.sign_with(&header, &claims(&world, &json!({}))).unwrap()
    };
    let foreign = SigningKey::generate().unwrap();
    let borrowed_kid = Header {
        kid: Some(key.kid().to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    let refused = [
        unsigned("none"),
        unsigned("None"),
        unsigned("RS256"),
        with_secret(key.public_pem().as_bytes()),
        with_secret(b"secret"),
        format!("{}.{payload}.{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(342)),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        foreign.sign(&claims(&world, &json!({}))).unwrap(),
        foreign.sign_with(&borrowed_kid, &claims(&world, &json!({}))).unwrap(),
        with_header(&|header| header.alg = Algorithm::RS512),
        with_header(&|header| header.alg = Algorithm::PS256),
        with_header(&|header| header.kid = None),
        with_header(&|header| header.kid = Some("../../keys".into())),
        with_header(&|header| header.kid = Some("' OR 1=1 --".into())),
        with_header(&|header| header.kid = Some("k".repeat(5000))),
        with_header(&|header| header.crit = Some(vec!["b64".into()])),
        with_header(&|header| {
            header.kid = Some("mine".into());
            header.jku = Some("https://evil.example.com/jwks.json".into());
        }),
        key.sign(&claims(&world, &json!({ "padding": "x".repeat(9000) })))
            .unwrap(),
        "not-a-token".into(),
        "..".into(),
    ];
    for token in refused {
        assert_eq!(status(&world, &token).await, 401, "{}", &token[..token.len().min(60)]);
    }
    assert_eq!(status(&world, &good).await, 200);
}

#[tokio::test]
async fn the_header_must_be_one_bearer_token() {
    let world = World::start().await;
    let good = world.member(ORG, "ada");
    let ask = async |values: &[String]| {
        let mut request = world.client.get(world.url(&path()));
        for value in values {
            request = request.header(AUTHORIZATION, value);
        }
        send(request).await.status
    };
    assert_eq!(ask(&[format!("Bearer {good}")]).await, 200);
    assert_eq!(ask(&[format!("bearer {good}")]).await, 200);
    let refused = [
        vec![],
        vec![good.clone()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![format!("Basic {good}")],
        vec![format!("Bearer {good} x")],
        vec![format!("Bearer {good}"), format!("Bearer {good}")],
    ];
    for values in refused {
        assert_eq!(ask(&values).await, 401, "{}", values.len());
    }
    // Tokens are taken from nowhere else.
    assert_eq!(
        world
            .plain(reqwest::Method::GET, &format!("{}&token={good}", path()))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_configured_key_needs_no_network() {
    let key = SigningKey::generate().unwrap();
    let pem = jsonwebtoken::DecodingKey::from_rsa_pem(key.public_pem().as_bytes()).unwrap();
    let mut world = World::start_with(|config| {
        config.clerk.keys = KeySource::Pem(pem);
        config.limits.rate = 0;
    })
    .await;
    world.clerk.set_reachable(false);
    let token = key.sign(&claims(&world, &json!({}))).unwrap();
    assert_eq!(status(&world, &token).await, 200);
    assert_eq!(status(&world, &world.member(ORG, "ada")).await, 401);
    assert_eq!(world.clerk.fetches(), 0);
    // Keys to fetch or callers to count: without either the service goes on all the same.
    assert!(world.server.crashed().now_or_never().is_none());
}

#[tokio::test]
async fn keys_rotate_under_load_without_a_refused_request() {
    let world = World::start_with(|config| config.clerk.cool_down = Duration::from_millis(300)).await;
    let before = world.member(ORG, "ada");
    assert_eq!(status(&world, &before).await, 200);
    for _ in 0..3 {
        world.clerk.rotate().unwrap();
        let after = world.member(ORG, "ada");
        let asked = (0..100).map(|n| status(&world, if n % 2 == 0 { &before } else { &after }));
        let statuses = futures::future::join_all(asked).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    }
    // One fetch at the start and one a rotation: everybody who waited shared it.
    assert!(world.clerk.fetches() <= 5, "{}", world.clerk.fetches());
    world.clerk.retire_old_keys();
    // The withdrawn key goes with the next fetch, here made by a rotation.
    world.clerk.rotate().unwrap();
    assert_eq!(status(&world, &world.member(ORG, "ada")).await, 200);
    assert_eq!(status(&world, &before).await, 401);
}

#[tokio::test]
async fn invented_key_ids_cost_no_more_than_a_fetch_a_cool_down() {
    let world = World::start_with(|config| config.clerk.cool_down = Duration::from_millis(500)).await;
    let good = world.member(ORG, "ada");
    assert_eq!(status(&world, &good).await, 200);
    let fetched = world.clerk.fetches();
    let key = world.clerk.key();
    let started = std::time::Instant::now();
    let flood = (0..200).map(|n| {
        let header = Header {
            kid: Some(format!("invented-{n}")),
            ..Header::new(Algorithm::RS256)
        };
        let token = key.sign_with(&header, &claims(&world, &json!({}))).unwrap();
        let world = &world;
        async move { status(world, &token).await }
    });
    let statuses = futures::future::join_all(flood).await;
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    let allowed = 1 + u64::try_from(started.elapsed().as_millis() / 500).unwrap();
    let made = world.clerk.fetches() - fetched;
    assert!((1..=allowed).contains(&made), "{made} fetches, {allowed} allowed");
    assert_eq!(status(&world, &good).await, 200);
}

#[tokio::test]
async fn a_flood_of_invented_key_ids_leaves_the_service_to_others() {
    let world = World::start_with(|config| {
        config.limits.requests = 8;
        config.clerk.cool_down = Duration::from_secs(3);
    })
    .await;
    let good = world.member(ORG, "ada");
    assert_eq!(status(&world, &good).await, 200);
    let key = world.clerk.key();
    let invented = |n: usize| {
        let header = Header {
            kid: Some(format!("invented-{n}")),
            ..Header::new(Algorithm::RS256)
        };
        key.sign_with(&header, &claims(&world, &json!({}))).unwrap()
    };
    let waiting = futures::future::join_all((0..2).map(|n| {
        let (world, token) = (&world, invented(n));
        async move { status(world, &token).await }
    }));
    let others = async {
        // Two wait for the cool-down to end; everybody else is answered meanwhile.
        let started = std::time::Instant::now();
        let at_once = eventually(
            async || {
                let asked = std::time::Instant::now();
                (status(&world, &invented(9)).await, asked.elapsed())
            },
            |(_, took)| *took < Duration::from_millis(500) || started.elapsed() > Duration::from_secs(10),
        )
        .await;
        (at_once.0, status(&world, &good).await)
    };
    let (waited, others) = tokio::join!(waiting, others);
    assert_eq!((waited, others), (vec![401, 401], (401, 200)));
}

#[tokio::test]
async fn known_keys_serve_while_clerk_is_away_and_unknown_ones_are_not_guessed() {
    let world = World::start_with(|config| config.clerk.cool_down = Duration::from_millis(50)).await;
    let before = world.member(ORG, "ada");
    assert_eq!(status(&world, &before).await, 200);
    world.clerk.set_reachable(false);
    world.clerk.rotate().unwrap();
    let after = world.member(ORG, "ada");
    assert_eq!(status(&world, &after).await, 401);
    assert_eq!(status(&world, &before).await, 200);
    world.clerk.set_reachable(true);
    assert_eq!(status(&world, &after).await, 200);
}

#[tokio::test]
async fn without_any_keys_the_service_is_not_ready_and_says_503() {
    let world = World::start_with(|config| {
        config.clerk.keys = KeySource::Jwks("http://127.0.0.1:1/jwks.json".into());
        config.clerk.cool_down = Duration::from_millis(50);
    })
    .await;
    let reply = world.get(&world.boss(), &path()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    let ready = eventually(async || world.probe("/readyz").await, |_| true).await;
    assert_eq!((ready.status, ready.json()["keys"].clone()), (503, json!(false)));
}
