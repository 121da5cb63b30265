//! A table of crafted tokens, all signed by the instance's own key: which are sessions, of whom, and what the others are refused for.
//!
//! Decided once beside `verifyToken` of `@clerk/backend` 3.25.0 with the same key, allow-list and 5 s of skew. What it refuses is refused here,
//! but for the last of the differences:
//! - `cat`: `verifyToken` itself asks nothing of it but to be no machine's, so templates pass; the SDK's `authenticateRequest` refuses those, and takes
//!   the category that instances without categories stamp on every token (`cl_I7d4PD111III`). One that says nothing does not say "session".
//! - `iss`, `sts`, `sid` without a `cat`, machines, and the form of `o`, `org_id`, `org_role`, `v`, `act` and of ids are not asked about there.
//! - `iat` of 1e300 is no date in JavaScript, and passes there.
//! - Accepted here alone: `"typ": null` and `"iat": null`, which count as absent.

mod table;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use recap_service::clock;
use recap_testing::clerk::Session;
use serde_json::{Map, Value, json};

use self::table::{
    NULL, PARTY, Row, SESSION,
    Worth::{self, Admin, Homeless, Member, Refused},
    rows, shapes,
};
use crate::world::{LIST, ORG, RANGE, World};

struct Forge {
    key: EncodingKey,
    kid: String,
    issuer: String,
}

impl Forge {
    fn good(&self) -> Value {
        let session = Session {
            authorized_party: Some(PARTY.into()),
            ..Session::member(ORG, "ada")
        };
        session.claims_v2(&self.issuer)
    }

    fn token(&self, row: &Row) -> String {
        self.sign(&row.header, &self.changed(self.good(), &row.claims))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let good = json!({ "alg": "RS256", "typ": "JWT", "cat": SESSION, "kid": self.kid });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&self.changed(good, header)), part(claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, Algorithm::RS256).unwrap();
        format!("{message}.{signature}")
    }

    fn changed(&self, good: Value, change: &Value) -> Value {
        let Value::Object(mut changed) = good else {
            unreachable!()
        };
        for (name, value) in change.as_object().unwrap_or(&Map::new()) {
            if value.is_null() {
                changed.remove(name);
            } else {
                changed.insert(name.clone(), self.spelled(value));
            }
        }
        changed.into()
    }

    fn spelled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text == NULL => Value::Null,
            Value::String(text) if text.contains("<issuer>") => text.replace("<issuer>", &self.issuer).into(),
            Value::String(text) => match text.strip_prefix("now").and_then(|seconds| seconds.parse::<i64>().ok()) {
                Some(seconds) => (now() + seconds).into(),
                None => value.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.spelled(item)).collect(),
            other => other.clone(),
        }
    }
}

fn now() -> i64 {
    clock::now().timestamp()
}

fn refusals(world: &World, reason: &str) -> u64 {
    world.metric("recap_query_auth_refusals_total", &[&format!("reason=\"{reason}\"")])
}

/// What the service makes of a token.
async fn worth(world: &World, token: &str, expected: Worth) -> Worth {
    let counted = |worth: Worth| match worth {
        Refused(reason) => refusals(world, reason),
        _ => 0,
    };
    let before = counted(expected);
    let own = world.get(token, &format!("{LIST}?{RANGE}&limit=5")).await;
    match own.status {
        200 => {}
        403 => return Homeless,
        401 => {
            assert_eq!(own.header("www-authenticate"), "Bearer error=\"invalid_token\"");
            return if counted(expected) == before + 1 {
                expected
            } else {
                Refused("another reason")
            };
        }
        other => panic!("{other}: {}", own.text()),
    }
    match world
        .get(token, &format!("{LIST}?{RANGE}&limit=5&allInOrg=true"))
        .await
        .status
    {
        200 => Admin,
        403 => Member,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn only_sessions_of_users_are_believed() {
    let world = World::start_with(|config| {
        config.clerk.authorized_parties = vec![PARTY.into()];
        // As Clerk's dashboard shows it.
        config.clerk.issuer.push('/');
    })
    .await;
    let key = world.clerk.key();
    let forge = Forge {
        key: EncodingKey::from_rsa_pem(key.private_pem().as_bytes()).unwrap(),
        kid: key.kid().to_owned(),
        issuer: world.clerk.issuer(),
    };
    let good = forge.sign(&json!({}), &forge.good());
    assert_eq!(worth(&world, &good, Member).await, Member);

    let rows = rows();
    let mut wrong = Vec::new();
    let mut judged = 0;
    for row in &rows {
        let given = worth(&world, &forge.token(row), row.worth).await;
        judged += 1;
        if given != row.worth {
            wrong.push(format!(
                "{} {}: {:?} and not {given:?}",
                row.header, row.claims, row.worth
            ));
        }
    }
    for (shape, expected) in shapes(&forge.good()) {
        let given = worth(&world, &forge.sign(&json!({}), &shape), expected).await;
        judged += 1;
        if given != expected {
            wrong.push(format!("{shape}: {expected:?} and not {given:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged >= 160, "{judged}");
    assert_eq!(world.metric("recap_query_auth_impersonated_total", &[]), 4);
    assert_eq!(worth(&world, &good, Member).await, Member);
}

#[tokio::test]
async fn the_sessions_cookie_counts_where_it_is_switched_on_and_no_header_is() {
    let world = World::start_with(|config| {
        config.clerk.authorized_parties = vec![PARTY.into()];
        config.clerk.session_cookie = true;
    })
    .await;
    let session = Session {
        authorized_party: Some(PARTY.into()),
        ..Session::member(ORG, "ada")
    };
    let good = world.clerk.token(&session).unwrap();
    let path = format!("{LIST}?{RANGE}&limit=5");
    let ask = async |cookie: String, header: Option<&str>| {
        let mut request = world.client.get(world.url(&path)).header("cookie", cookie);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        crate::world::send(request).await.status
    };
    assert_eq!(ask(format!("a=b; __session={good}; c=d"), None).await, 200);
    for cookie in [
        format!("__session_x={good}"),
        "__session=".to_owned(),
        "__session=nonsense".to_owned(),
        format!("__session={good}; __session={good}"),
        format!("__session={}", world.member(ORG, "ada")),
    ] {
        assert_eq!(ask(cookie, None).await, 401);
    }
    // A header is not helped out by a cookie.
    assert_eq!(ask(format!("__session={good}"), Some("Bearer nonsense")).await, 401);
    assert_eq!(ask(format!("__session={good}"), Some("Basic dTpw")).await, 401);

    let off = World::start().await;
    let cookie = format!("__session={}", off.member(ORG, "ada"));
    let request = off.client.get(off.url(&path)).header("cookie", cookie);
    assert_eq!(crate::world::send(request).await.status, 401);
}
