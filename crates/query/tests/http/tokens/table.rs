//! The rows: what is changed of a good token, and what it is worth then.

use serde_json::{Value, json};

use crate::world::ORG;

pub const PARTY: &str = "https://app.example.com";
pub const SESSION: &str = "cl_B7d4PD111AAA";
const TEMPLATE: &str = "cl_B7d4PD222AAA";
const MACHINE: &str = "cl_B7d4PD333AAA";
const NO_CATEGORIES: &str = "cl_I7d4PD111III";
/// In a change: the claim is there and `null`. (`null` itself takes it away.)
pub const NULL: &str = "<null>";

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    Admin,
    Member,
    /// A session without an organization: 403.
    Homeless,
    /// 401, counted under this reason.
    Refused(&'static str),
}
use Worth::{Admin, Homeless, Member, Refused};

/// Changes to a good token's header and claims, and what it is worth then.
pub struct Row {
    pub header: Value,
    pub claims: Value,
    pub worth: Worth,
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

/// All of them.
pub fn rows() -> Vec<Row> {
    let rows = [
        kinds(),
        headers(),
        sessions(),
        users(),
        organizations(),
        times(),
        parties(),
    ];
    rows.into_iter().flatten().collect()
}

/// Claims that are not an object: the change is the whole of them.
pub fn shapes(good: &Value) -> Vec<(Value, Worth)> {
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
