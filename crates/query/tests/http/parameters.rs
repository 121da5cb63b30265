//! What may be asked, and how a mistake is answered.

use serde_json::json;

use crate::world::{BREAKDOWN, LIST, ONE, ORG, RANGE, SERIES, STATS, World, conversation, event};

/// Paths, queries, and the parameter that is wrong.
fn mistakes() -> Vec<(&'static str, String, &'static str)> {
    let cases = [
        ("", "from"),
        ("from=2024-01-01T00:00:00Z", "to"),
        ("from=yesterday&to=2024-01-01T00:00:00Z", "from"),
        ("from=2024-01-01&to=2024-01-02", "from"),
        ("from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z", "from"),
        (
            "from=2024-01-01T00:00:00Z&from=2024-01-01T00:00:00Z&to=2024-01-02T00:00:00Z",
            "from",
        ),
        ("{range}&metadatakey=team", "metadatakey"),
        ("{range}&user_id=x", "user_id"),
        ("{range}&userId=", "userId"),
        ("{range}&userId", "userId"),
        ("{range}&userId=a%00b", "userId"),
        ("{range}&userId=%ff", "userId"),
        ("{range}&metadataKey=", "metadataKey"),
        ("{range}&metadataValue=a%00", "metadataValue"),
        ("{range}&metadataKey=a&metadataKey=b", "metadataKey"),
        ("{range}&allInOrg=yes", "allInOrg"),
        ("{range}&allInOrg=True", "allInOrg"),
        ("{range}&agentId=x", "agentId"),
        ("{range}&agentId=1.5", "agentId"),
        ("{range}&agentId=9007199254740992", "agentId"),
        ("{range}&agentId=%2B7", "agentId"),
        ("{range}&model=", "model"),
        ("{range}&toolName=a&toolName=b", "toolName"),
        ("{range}&feedback=yes", "feedback"),
        ("{range}&toolError=1", "toolError"),
        ("{range}&rangeOn=created", "rangeOn"),
    ];
    let of_lists = [
        ("{range}&limit=0", "limit"),
        ("{range}&limit=1001", "limit"),
        ("{range}&limit=%2B5", "limit"),
        ("{range}&limit=1.0", "limit"),
        ("{range}&cursor=AAAA", "cursor"),
        ("{range}&limit=5&cursor=AAAA", "cursor"),
        ("{range}&limit=5&cursor=!", "cursor"),
        ("{range}&exclude=toolcalls", "exclude"),
        ("{range}&exclude=toolCalls,", "exclude"),
        ("{range}&exclude=toolCalls,toolCalls", "exclude"),
        ("{range}&exclude=toolCalls&exclude=toolCalls", "exclude"),
        ("{range}&exclude=toolCalls&exclude=", "exclude"),
        ("{range}&sort=tokens", "sort"),
        ("{range}&interval=day", "interval"),
    ];
    let of_stats = [
        ("{range}&limit=5", "limit"),
        ("{range}&cursor=AAAA", "cursor"),
        ("{range}&sort=updatedAt", "sort"),
    ];
    let of_series = [
        ("{range}", "interval"),
        ("{range}&interval=minute", "interval"),
        ("{range}&interval=day", "interval"),
        ("{range}&interval=month&timeZone=Berlin", "timeZone"),
        ("{range}&interval=month&groupBy=toolName", "groupBy"),
        ("from=9999-12-01T00:00:00Z&to=9999-12-31T00:00:00Z&interval=day", "to"),
    ];
    let of_breakdown = [
        ("{range}", "by"),
        ("{range}&by=model", "by"),
        ("{range}&by=userId&top=0", "top"),
        ("{range}&by=userId&top=101", "top"),
    ];
    let of_one = [
        ("", "id"),
        ("id=", "id"),
        ("id=a&id=b", "id"),
        ("id=a&allInOrg=true", "allInOrg"),
    ];
    // What an endpoint requires beside the filter is given, so that the mistake is the only one.
    let both = [
        (LIST, ""),
        (STATS, ""),
        (SERIES, "&interval=month"),
        (BREAKDOWN, "&by=userId"),
    ]
    .into_iter()
    .flat_map(|(path, more)| cases.map(|(query, parameter)| (path, format!("{query}{more}"), parameter)));
    let own = |path, cases: &[(&'static str, &'static str)]| {
        let cases = cases
            .iter()
            .map(|(query, parameter)| (path, (*query).to_owned(), *parameter));
        cases.collect::<Vec<_>>()
    };
    both.chain(own(LIST, &of_lists))
        .chain(own(STATS, &of_stats))
        .chain(own(SERIES, &of_series))
        .chain(own(BREAKDOWN, &of_breakdown))
        .chain(own(ONE, &of_one))
        .collect()
}

#[tokio::test]
async fn a_mistake_is_a_400_that_names_its_parameter() {
    let world = World::start().await;
    let boss = world.boss();
    for (path, query, parameter) in mistakes() {
        let query = query.replace("{range}", RANGE);
        let reply = world.get(&boss, &format!("{path}?{query}")).await;
        assert_eq!(reply.status, 400, "{path}?{query}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let problem = reply.json();
        assert_eq!(problem["parameter"], parameter, "{path}?{query}: {problem}");
        assert!(problem["error"].as_str().unwrap().contains(parameter), "{problem}");
        assert_eq!(problem["requestId"], reply.header("x-request-id"));
    }
}

#[tokio::test]
async fn the_range_is_inclusive_at_both_ends_in_milliseconds_whatever_the_offset() {
    let world = World::start().await;
    world
        .publish(&[conversation("c1", "u", "2024-03-01T10:00:00.123456Z")])
        .await;
    let boss = world.boss();
    let cases = [
        ("2024-03-01T10:00:00.123Z", "2024-03-01T10:00:00.123Z", true),
        // Cut to milliseconds these ends are equal, and in order.
        ("2024-03-01T10:00:00.1239Z", "2024-03-01T10:00:00.1231Z", true),
        ("2024-03-01T10:00:00.1231Z", "2024-03-01T10:00:00.1239Z", true),
        ("2024-03-01T12:00:00.123%2B02:00", "2024-03-01T04:30:00.123-05:30", true),
        ("2024-03-01T12:00:00.123+02:00", "2024-03-01t12:00:00.123+02:00", true),
        ("2024-03-01T10:00:00.124Z", "2024-03-02T00:00:00Z", false),
        // The first and the last year that RFC 3339 can write, and a leap second.
        ("0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", true),
        ("2016-12-31T23:59:60Z", "9999-12-31T23:59:59-23:59", true),
        ("0000-01-01T00:00:00%2B23:59", "1969-12-31T23:59:59Z", false),
        ("2024-02-01T00:00:00Z", "2024-03-01T10:00:00.122Z", false),
    ];
    for (from, to, found) in cases {
        let reply = world
            .get(&boss, &format!("{LIST}?from={from}&to={to}&allInOrg=true"))
            .await;
        assert_eq!(reply.ids().len(), usize::from(found), "{from} {to}");
    }
}

/// Three conversations: of a user with rich metadata, of one with little, and of one with none.
async fn users_with_metadata() -> World {
    let world = World::start().await;
    let metadata = json!({
        "team": "core", "level": 3, "ratio": 0.5, "active": true, "boss": null, "empty": "",
        "office": { "city": "London", "floor": { "number": 7 } },
        "a.b": "literal", "a": { "b": "nested", "c": "beside" },
        "tags": ["x", ["y", 2]], "list": [{ "hidden": "deep" }]
    });
    world
        .publish(&[
            conversation("c1", "ada", "2024-03-01T10:00:00Z"),
            conversation("c2", "lin", "2024-03-01T11:00:00Z"),
            conversation("c3", "eve", "2024-03-01T12:00:00Z"),
            event(
                "user.upserted",
                "2024-03-01T00:00:00Z",
                json!({ "userId": "ada", "publicMetadata": metadata }),
            ),
            event(
                "user.upserted",
                "2024-03-01T00:00:00Z",
                json!({ "userId": "lin", "publicMetadata": { "team": "ops", "code": "42", "answer": "true" } }),
            ),
        ])
        .await;
    world
}

#[tokio::test]
async fn metadata_is_matched_by_key_path_and_value() {
    let world = users_with_metadata().await;
    let matching = [
        "metadataKey=office",
        "metadataKey=office.city&metadataValue=London",
        "metadataKey=office.floor.number&metadataValue=7",
        "metadataKey=office.floor.number&metadataValue=7.0",
        "metadataKey=team&metadataValue=core",
        "metadataKey=level&metadataValue=3e0",
        "metadataKey=ratio&metadataValue=0.50",
        "metadataKey=active&metadataValue=true",
        "metadataKey=boss&metadataValue=null",
        "metadataKey=boss",
        "metadataKey=empty&metadataValue=",
        "metadataKey=a.b&metadataValue=literal",
        "metadataKey=a.c&metadataValue=beside",
        "metadataKey=tags&metadataValue=x",
        "metadataKey=tags&metadataValue=y",
        "metadataKey=tags&metadataValue=2",
        "metadataValue=London",
        "metadataValue=literal",
        "metadataValue=7",
        "metadataValue=",
    ];
    // The text of a number or of a word is a string too.
    for filter in [
        "metadataKey=code&metadataValue=42",
        "metadataKey=answer&metadataValue=true",
    ] {
        assert_eq!(world.list(filter).await.ids(), ["c2"], "{filter}");
    }
    let not_matching = [
        "metadataKey=code&metadataValue=42.0",
        "metadataKey=level&metadataValue=03",
        "metadataKey=level&metadataValue=%2B3",
        "metadataKey=level&metadataValue=%203",
        "metadataKey=office.",
        "metadataKey=.office",
        "metadataKey=office..city",
        "metadataKey=Office",
        "metadataKey=city",
        "metadataKey=office.city&metadataValue=london",
        "metadataKey=office&metadataValue=London",
        "metadataKey=a.b&metadataValue=nested",
        "metadataKey=level&metadataValue=4",
        "metadataKey=team&metadataValue=",
        "metadataKey=office.city.x",
        "metadataKey=tags.0",
        "metadataValue=Paris",
    ];
    for filter in matching {
        assert_eq!(world.list(filter).await.ids(), ["c1"], "{filter}");
    }
    for filter in not_matching {
        assert_eq!(world.list(filter).await.ids(), Vec::<String>::new(), "{filter}");
    }
}

#[tokio::test]
async fn metadata_narrows_statistics_as_it_narrows_lists() {
    let world = users_with_metadata().await;
    let (boss, ada) = (world.boss(), world.member(ORG, "ada"));
    for (token, filter, found) in [
        (&boss, "allInOrg=true&metadataKey=team", 2),
        (&boss, "allInOrg=true&metadataKey=office.city&metadataValue=London", 1),
        (&boss, "allInOrg=true&metadataKey=team&userId=lin", 1),
        (&boss, "allInOrg=true&metadataKey=team&metadataValue=core&userId=lin", 0),
        (&boss, "allInOrg=true&metadataKey=team&agentId=1", 0),
        // Metadata narrows what a caller sees; it widens nothing.
        (&boss, "metadataKey=team", 0),
        (&ada, "metadataKey=team", 1),
        (&ada, "metadataValue=ops", 0),
    ] {
        let stats = world.get(token, &format!("{STATS}?{RANGE}&{filter}")).await.json();
        assert_eq!(
            (&stats["conversationCount"], &stats["uniqueUsers"]),
            (&json!(found), &json!(found)),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn excluded_keys_are_absent_and_the_rest_is_as_ever() {
    let world = World::start().await;
    let message = json!({ "conversationId": "c1", "messageId": "m1", "role": "user", "createdAt": "2024-03-01T10:00:00Z", "text": "hi" });
    let call = json!({ "conversationId": "c1", "toolCallId": "t1", "toolName": "search", "args": { "q": [1, null] } });
    let feedback = json!({ "conversationId": "c1", "feedbackId": "f1", "helpful": true, "comment": "good" });
    world
        .publish(&[
            conversation("c1", "ada", "2024-03-01T10:00:00Z"),
            event("message.upserted", "2024-03-01T10:00:00Z", message),
            event("tool_call.started", "2024-03-01T10:00:01Z", call),
            event("feedback.submitted", "2024-03-01T10:00:02Z", feedback),
        ])
        .await;
    let whole = world.list("").await.json()[0].clone();
    assert_eq!(whole["toolCalls"][0]["args"], json!({ "q": [1, null] }));
    assert_eq!(whole["feedbackData"][0]["comment"], "good");
    assert_eq!(whole["firstMessageText"], "hi");
    for excluded in [
        "toolCalls",
        "feedbackData",
        "firstMessageText",
        "toolCalls,firstMessageText,feedbackData",
    ] {
        let mut expected = whole.clone();
        for key in excluded.split(',') {
            expected.as_object_mut().unwrap().remove(key);
        }
        assert_eq!(world.list(&format!("exclude={excluded}")).await.json()[0], expected);
        let repeated = excluded.replace(',', "&exclude=");
        assert_eq!(world.list(&format!("exclude={repeated}")).await.json()[0], expected);
        assert_eq!(
            world.list(&format!("limit=9&exclude={excluded}")).await.json()[0],
            expected
        );
    }
}

#[tokio::test]
async fn statistics_are_of_the_same_conversations() {
    let world = World::start().await;
    let upserted = |id: &str, user: &str, agent: i64| {
        let data =
            json!({ "conversationId": id, "userId": user, "agentId": agent, "createdAt": "2024-03-01T10:00:00Z" });
        event("conversation.upserted", "2024-03-01T10:00:00Z", data)
    };
    world
        .publish(&[
            upserted("c1", "ada", 1),
            upserted("c2", "ada", 2),
            upserted("c3", "lin", 1),
            upserted("c4", "lin", -4),
            event(
                "conversation.deleted",
                "2024-03-02T00:00:00Z",
                json!({ "conversationId": "c4" }),
            ),
        ])
        .await;
    let count = async |token: String, filter: &str| {
        let reply = world.get(&token, &format!("{STATS}?{RANGE}{filter}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["conversationCount"].as_i64().unwrap()
    };
    assert_eq!(count(world.boss(), "&allInOrg=true").await, 3);
    assert_eq!(count(world.boss(), "&allInOrg=true&agentId=1").await, 2);
    assert_eq!(count(world.boss(), "&allInOrg=true&agentId=-4").await, 0);
    assert_eq!(
        count(world.boss(), "&allInOrg=true&userId=ada&exclude=toolCalls").await,
        2
    );
    assert_eq!(count(world.boss(), "").await, 0);
    assert_eq!(count(world.member(ORG, "lin"), "").await, 1);
    assert_eq!(count(world.member(ORG, "lin"), "&userId=lin&allInOrg=false").await, 1);
}
