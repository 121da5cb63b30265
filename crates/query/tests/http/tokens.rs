//! A table of crafted tokens, all signed by the instance's own key: which are sessions, of whom, and what the others are refused for.
//!
//! Decided once beside `verifyToken` of `@clerk/backend` 3.25.0 with the same key, allow-list and 5 s of skew. What it refuses is refused here,
//! but for the last of the differences:
//! - `cat`: `verifyToken` itself asks nothing of it but to be no machine's, so templates pass; the SDK's `authenticateRequest` refuses those, and takes
//!   the category that instances without categories stamp on every token (`cl_I7d4PD111III`). One that says nothing does not say "session".
//! - `iss`, `sts`, `sid` without a `cat`, machines, and the form of `o`, `org_id`, `org_role`, `v`, `act` and of ids are not asked about there.
//! - `iat` of 1e300 is no date in JavaScript, and passes there.
//! - Accepted here alone: `"typ": null` and `"iat": null`, which count as absent.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use recap_service::clock;
use recap_testing::clerk::Session;
use serde_json::{Map, Value, json};

use crate::world::{LIST, ORG, RANGE, World};

const PARTY: &str = "https://app.example.com";
const SESSION: &str = "cl_B7d4PD111AAA";
const TEMPLATE: &str = "cl_B7d4PD222AAA";
const MACHINE: &str = "cl_B7d4PD333AAA";
const NO_CATEGORIES: &str = "cl_I7d4PD111III";
/// In a change: the claim is there and `null`. (`null` itself takes it away.)
const NULL: &str = "<null>";

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    Admin,
    Member,
    /// A session without an organization: 403.
    Homeless,
    /// 401, counted under this reason.
    Refused(&'static str),
}
use Worth::{Admin, Homeless, Member, Refused};

/// Changes to a good token's header and claims, and what it is worth then.
struct Row {
    header: Value,
    claims: Value,
    worth: Worth,
}

fn header(header: Value, worth: Worth) -> Row {
    Row {
        header,
        claims: json!({}),
        worth,
    }
}

fn claims(claims: Value, worth: Worth) -> Row {
    Row {
        header: json!({}),
        claims,
        worth,
    }
}

/// One claim in turn.
fn claim(name: &str, cases: Vec<(Value, Worth)>) -> impl Iterator<Item = Row> {
    let rows = cases.into_iter();
    rows.map(move |(value, worth)| claims(json!({ name: value }), worth))
}

/// One part of the header in turn.
fn part(name: &str, cases: Vec<(Value, Worth)>) -> impl Iterator<Item = Row> {
    let rows = cases.into_iter();
    rows.map(move |(value, worth)| header(json!({ name: value }), worth))
}

fn kinds() -> Vec<Row> {
    const T: Worth = Refused("type");
    const C: Worth = Refused("category");
    const S: Worth = Refused("session-missing");
    let categories = [None, Some(SESSION), Some(TEMPLATE), Some(MACHINE), Some(NO_CATEGORIES)];
    // With a session's id, then without one.
    let table = [
        (None, [Member, Member, C, C, C], [S, Member, C, C, C]),
        (Some("JWT"), [Member, Member, C, C, C], [S, Member, C, C, C]),
        (Some("at+jwt"), [T; 5], [T; 5]),
    ];
    let mut rows = Vec::new();
    for (r#type, with_session, without) in table {
        for (category, (with_session, without)) in categories.iter().zip(with_session.into_iter().zip(without)) {
            let parts = json!({ "typ": r#type, "cat": category });
            rows.push(header(parts.clone(), with_session));
            rows.push(Row {
                claims: json!({ "sid": null }),
                ..header(parts, without)
            });
        }
    }
    rows
}

fn headers() -> Vec<Row> {
    let (wrong_type, wrong_category) = (Refused("type"), Refused("category"));
    let malformed = Refused("malformed");
    part(
        "typ",
        vec![
            (json!(NULL), Member),
            (json!("jwt"), wrong_type),
            (json!("JWT "), wrong_type),
            (json!(""), wrong_type),
            (json!("AT+JWT"), wrong_type),
            (json!("application/jwt"), wrong_type),
            (json!("application/at+jwt"), wrong_type),
            (json!("dpop+jwt"), wrong_type),
            (json!("JOSE"), wrong_type),
            (json!(7), malformed),
            (json!(["JWT"]), malformed),
            (json!({ "JWT": true }), malformed),
        ],
    )
    .chain(part(
        "cat",
        vec![
            (json!(NULL), wrong_category),
            (json!(""), wrong_category),
            (json!("cl_b7d4pd111aaa"), wrong_category),
            (json!("cl_B7d4PD111AAAA"), wrong_category),
            (json!(" cl_B7d4PD111AAA"), wrong_category),
            (json!("session"), wrong_category),
            (json!(1), wrong_category),
            (json!(true), wrong_category),
            (json!([SESSION]), wrong_category),
            (json!({ "cat": SESSION }), wrong_category),
        ],
    ))
    .collect()
}

fn sessions() -> Vec<Row> {
    let form = Refused("claims");
    let uncategorized = [
        (json!(""), Refused("session-missing")),
        (json!(NULL), Refused("session-missing")),
        (json!(7), form),
        (json!(["sess_1"]), form),
        (json!("sess_1"), Member),
    ];
    let uncategorized = uncategorized.into_iter().map(|(sid, worth)| Row {
        header: json!({ "cat": null }),
        ..claims(json!({ "sid": sid }), worth)
    });
    claim(
        "sid",
        vec![(json!(""), Member), (json!(NULL), Member), (json!(7), form)],
    )
    .chain(uncategorized)
    .chain(claim(
        "sts",
        vec![
            (Value::Null, Member),
            (json!(NULL), Member),
            (json!("active"), Member),
            (json!("pending"), Refused("pending")),
            (json!(["pending"]), form),
            (json!(7), form),
        ],
    ))
    .chain(claim(
        "act",
        vec![
            (json!({ "sub": "user_support" }), Member),
            (json!({}), Member),
            (json!("user_support"), form),
            (json!(["user_support"]), form),
            (json!({ "sub": 7 }), form),
        ],
    ))
    .chain(claim(
        "aud",
        vec![(json!("x"), Member), (json!(["x", "y"]), Member), (json!(NULL), Member)],
    ))
    .collect()
}

fn users() -> Vec<Row> {
    let form = Refused("claims");
    claim(
        "sub",
        vec![
            (json!("mch_2xMachine"), Refused("machine")),
            (json!("mch_"), Refused("machine")),
            (json!("mch"), Member),
            (json!("MCH_1"), Member),
            (json!("ü"), Member),
            (json!("u".repeat(255)), Member),
            (json!("u".repeat(256)), form),
            (json!("a\u{0}b"), form),
            (json!(""), form),
            (Value::Null, form),
            (json!(NULL), form),
            (json!(7), form),
            (json!(["user_1"]), form),
            (json!({ "id": "user_1" }), form),
        ],
    )
    .collect()
}

fn organizations() -> Vec<Row> {
    let form = Refused("claims");
    let of_version_2 = claim(
        "o",
        vec![
            (json!({ "id": ORG, "rol": "admin" }), Admin),
            (
                json!({ "id": ORG, "rol": "admin", "slg": "s", "per": "x", "fpm": "1" }),
                Admin,
            ),
            (json!({ "id": ORG, "rol": "org:admin" }), Member),
            (json!({ "id": ORG, "rol": "Admin" }), Member),
            (json!({ "id": ORG, "rol": "admin " }), Member),
            (json!({ "id": ORG, "rol": "" }), Member),
            (json!({ "id": ORG, "rol": null }), Member),
            (json!({ "id": ORG }), Member),
            (json!({ "id": ORG, "rol": 7 }), form),
            (json!({ "id": ORG, "rol": ["admin"] }), form),
            (json!([ORG, "admin"]), form),
            (json!([ORG]), form),
            (json!([]), form),
            (json!([{ "id": ORG, "rol": "admin" }]), form),
            (json!(ORG), form),
            (json!(7), form),
            (json!(true), form),
            (json!({}), form),
            (json!({ "rol": "admin" }), form),
            (json!({ "0": ORG, "1": "admin" }), form),
            (json!({ "id": null, "rol": "admin" }), form),
            (json!({ "id": "", "rol": "admin" }), form),
            (json!({ "id": 7, "rol": "admin" }), form),
            (json!({ "id": [ORG], "rol": "admin" }), form),
            (json!({ "id": "a\u{0}b" }), form),
            (json!({ "id": "o".repeat(256) }), form),
            (Value::Null, Homeless),
            (json!(NULL), Homeless),
        ],
    );
    let flat = json!({ "org_id": ORG, "org_role": "org:admin" });
    let strays = [
        (json!({ "o": null, "org_id": ORG, "org_role": "org:admin" }), Homeless),
        (json!({ "org_id": "org_other", "org_role": "org:admin" }), Member),
        (json!({ "org_id": 7, "org_role": ["org:admin"] }), Member),
    ];
    let of_version_1 = [
        (json!({}), Homeless),
        (flat.clone(), Admin),
        (json!({ "org_id": ORG, "org_role": "org:member" }), Member),
        (json!({ "org_id": ORG, "org_role": "admin" }), Member),
        (json!({ "org_id": ORG, "org_role": "ORG:ADMIN" }), Member),
        (json!({ "org_id": ORG }), Member),
        (json!({ "org_id": ORG, "org_role": 7 }), form),
        (json!({ "org_id": ORG, "org_role": ["org:admin"] }), form),
        (json!({ "org_id": [ORG] }), form),
        (json!({ "org_id": 7 }), form),
        (json!({ "org_id": "" }), form),
        (json!({ "org_id": NULL, "org_role": "org:admin" }), Homeless),
        (json!({ "org_role": "org:admin" }), Homeless),
        (json!({ "o": { "id": ORG, "rol": "admin" } }), Homeless),
        (json!({ "o": [ORG, "admin"], "org_id": ORG }), form),
    ];
    let of_version_1 = [json!(null), json!(1)].into_iter().flat_map(move |version| {
        of_version_1.clone().into_iter().map(move |(mut change, worth)| {
            change["v"] = version.clone();
            if change.get("o").is_none() {
                change["o"] = json!(null);
            }
            claims(change, worth)
        })
    });
    let versions = claim(
        "v",
        [
            json!(0),
            json!(3),
            json!(-1),
            json!(2.5),
            json!("2"),
            json!([2]),
            json!(true),
        ]
        .into_iter()
        .map(|version| (version, form))
        .collect(),
    );
    of_version_2
        .chain(strays.into_iter().map(|(change, worth)| claims(change, worth)))
        .chain(of_version_1)
        .chain(versions)
        .collect()
}

fn times() -> Vec<Row> {
    let form = Refused("claims");
    claim(
        "iat",
        vec![
            (Value::Null, Member),
            (json!(NULL), Member),
            (json!("now-3600"), Member),
            (json!("now+3"), Member),
            (json!("now+30"), Refused("issued-ahead")),
            (json!("now+3600"), Refused("issued-ahead")),
            (json!(1e300), Refused("issued-ahead")),
            (json!(-1), Member),
            (json!(1.5), Member),
            (json!("yesterday"), form),
            (json!([0]), form),
            (json!(true), form),
        ],
    )
    .chain(claim(
        "nbf",
        vec![
            (Value::Null, Member),
            (json!("now-3600"), Member),
            (json!("now+3"), Member),
            (json!("now+30"), Refused("not-yet-valid")),
            (json!("now+3600"), Refused("not-yet-valid")),
            (json!("soon"), form),
        ],
    ))
    .chain(claim(
        "exp",
        vec![
            (json!("now+30"), Member),
            (json!("now-2"), Member),
            (json!("now-8"), Refused("expired")),
            (json!("now-3600"), Refused("expired")),
            (json!(0), Refused("expired")),
            (Value::Null, form),
            (json!(NULL), form),
            (json!("never"), form),
            (json!([9e9]), form),
        ],
    ))
    .collect()
}

fn parties() -> Vec<Row> {
    let (absent, foreign) = (Refused("authorized-party-missing"), Refused("authorized-party"));
    let form = Refused("claims");
    claim(
        "azp",
        vec![
            (Value::Null, absent),
            (json!(NULL), absent),
            (json!(""), foreign),
            (json!("https://evil.example.com"), foreign),
            (json!("https://app.example.com/"), foreign),
            (json!("http://app.example.com"), foreign),
            (json!("https://APP.example.com"), foreign),
            (json!("https://app.example.com.evil.example"), foreign),
            (json!("null"), foreign),
            (json!([PARTY]), form),
            (json!({ "0": PARTY }), form),
            (json!(7), form),
        ],
    )
    .chain(claim(
        "iss",
        vec![
            (json!("<issuer>/"), Refused("issuer")),
            (json!("<issuer>x"), Refused("issuer")),
            (json!("https://other.example.com"), Refused("issuer")),
            (json!(""), Refused("issuer")),
            (json!(["<issuer>"]), form),
            (json!(7), form),
            (Value::Null, form),
            (json!(NULL), form),
        ],
    ))
    .collect()
}

/// Claims that are not an object: the change is the whole of them.
fn shapes(good: &Value) -> Vec<(Value, Worth)> {
    let values: Vec<Value> = good.as_object().unwrap().values().cloned().collect();
    let malformed = Refused("claims");
    vec![
        (json!([]), malformed),
        (Value::Array(values), malformed),
        (json!("claims"), malformed),
        (json!(7), malformed),
        (json!(null), malformed),
        (json!({}), malformed),
    ]
}

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

    let rows = [
        kinds(),
        headers(),
        sessions(),
        users(),
        organizations(),
        times(),
        parties(),
    ];
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
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
