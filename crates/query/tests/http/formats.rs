//! Representations: JSON in the contract's order, NDJSON, CSV, codings, validators.

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH};
use serde_json::{Value, json};

use crate::world::{LIST, RANGE, Reply, STATS, World, child, conversation, event, send};

const FIELDS: [&str; 29] = [
    "id",
    "agentId",
    "upstreamConversationId",
    "createdAt",
    "updatedAt",
    "agentName",
    "agentModel",
    "agentLogoUrl",
    "userId",
    "userEmail",
    "userFirstName",
    "userLastName",
    "userPublicMetadata",
    "firstMessageText",
    "userMessageCount",
    "assistantMessageCount",
    "totalMessageCount",
    "duration",
    "totalTokens",
    "inputTokens",
    "outputTokens",
    "attachmentCount",
    "toolCalls",
    "lastFinishReason",
    "totalFeedback",
    "totalHelpful",
    "totalNotHelpful",
    "feedbackData",
    "subConversations",
];

async fn sample() -> World {
    let world = World::start().await;
    let text = |id: &str, text: &str| {
        let data = json!({ "conversationId": id, "messageId": "m", "role": "user", "createdAt": "2024-03-01T10:00:00Z", "text": text });
        event("message.upserted", "2024-03-01T10:00:00Z", data)
    };
    world
        .publish(&[
            conversation("c1", "ada", "2024-03-01T10:00:00Z"),
            child("c2", "c1", "ada", "2024-03-01T11:00:00Z"),
            text("c1", "=HYPERLINK(\"x\"), \"quoted\"\nsecond line"),
            text("c2", "-2+3"),
            event(
                "user.upserted",
                "2024-03-01T00:00:00Z",
                json!({ "userId": "ada", "publicMetadata": { "b": 1.50, "a": [1e40] } }),
            ),
        ])
        .await;
    world
}

async fn accepting(world: &World, accept: &str, filter: &str) -> Reply {
    send(
        world
            .request(
                &world.boss(),
                &format!("{LIST}?{RANGE}&allInOrg=true{filter}"),
            )
            .header(ACCEPT, accept),
    )
    .await
}

#[tokio::test]
async fn json_has_the_contracts_fields_in_its_order() {
    let world = sample().await;
    let reply = world.list("").await;
    assert_eq!(reply.header("content-type"), "application/json");
    let text = reply.text();
    let places: Vec<usize> = FIELDS
        .iter()
        .map(|field| text.find(&format!("\"{field}\":")).unwrap())
        .collect();
    // `subConversations` of the outer one comes before the inner one's fields.
    assert!(places.is_sorted(), "{text}");
    assert_eq!(reply.json()[0].as_object().unwrap().len(), FIELDS.len());
    // Metadata comes back as it was sent, numbers letter by letter.
    assert!(
        text.contains("\"userPublicMetadata\":{\"a\":[1e+40],\"b\":1.5}"),
        "{text}"
    );
}

#[tokio::test]
async fn ndjson_is_flat_rows_one_a_line() {
    let world = sample().await;
    for filter in ["", "&limit=10"] {
        let reply = accepting(&world, "application/x-ndjson", filter).await;
        assert_eq!(reply.header("content-type"), "application/x-ndjson");
        let rows: Vec<Value> = reply
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            rows.iter()
                .map(|row| row["id"].as_str().unwrap())
                .collect::<Vec<_>>(),
            ["c2", "c1"]
        );
        assert_eq!(rows[0]["upstreamConversationId"], "c1");
        assert!(rows.iter().all(|row| row.get("subConversations").is_none()));
    }
    let first = accepting(&world, "application/x-ndjson", "&limit=1").await;
    let next = first
        .header("link")
        .trim_start_matches('<')
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    let second = send(
        world
            .request(&world.boss(), &next)
            .header(ACCEPT, "application/x-ndjson"),
    )
    .await;
    assert!(second.text().contains("\"id\":\"c1\"") && second.header("link").is_empty());
    // A page of flat rows is not a page of nested ones.
    assert_eq!(world.get(&world.boss(), &next).await.status, 400);
}

#[tokio::test]
async fn csv_is_quoted_and_starts_no_formula() {
    let world = sample().await;
    let reply = accepting(&world, "text/csv", "&exclude=toolCalls").await;
    assert_eq!(
        reply.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    let text = reply.text();
    let columns: Vec<&str> = FIELDS
        .iter()
        .copied()
        .filter(|field| !["toolCalls", "subConversations"].contains(field))
        .collect();
    assert!(
        text.starts_with(&format!("{}\r\n", columns.join(","))),
        "{text}"
    );
    assert!(text.contains(",'-2+3,"), "{text}");
    assert!(
        text.contains(",\"'=HYPERLINK(\"\"x\"\"), \"\"quoted\"\"\nsecond line\","),
        "{text}"
    );
    assert!(text.ends_with("\r\n"));
    assert_eq!(
        accepting(&world, "text/csv", "&userId=nobody")
            .await
            .text()
            .lines()
            .count(),
        1
    );
}

#[tokio::test]
async fn what_cannot_be_given_is_a_406() {
    let world = sample().await;
    for (path, accept) in [
        (LIST, "image/png"),
        (STATS, "text/csv"),
        (LIST, "application/json;q=0"),
    ] {
        let reply = send(
            world
                .request(&world.boss(), &format!("{path}?{RANGE}"))
                .header(ACCEPT, accept),
        )
        .await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (406, "application/problem+json")
        );
    }
    let request = world
        .request(&world.boss(), &format!("{LIST}?{RANGE}&limit=5"))
        .header(ACCEPT_ENCODING, "identity;q=0");
    assert_eq!(send(request).await.status, 406);
}

#[tokio::test]
async fn answers_are_compressed_as_asked_streamed_or_not() {
    let world = World::start().await;
    let events: Vec<_> = (0..120)
        .map(|n| {
            conversation(
                &format!("conversation-{n:03}"),
                "ada",
                "2024-03-01T10:00:00Z",
            )
        })
        .collect();
    world.publish(&events).await;
    // The client of the tests must not decode by itself.
    let client = reqwest::Client::builder().no_gzip().build().unwrap();
    for filter in ["&limit=100", ""] {
        let url = world.url(&format!("{LIST}?{RANGE}&allInOrg=true{filter}"));
        let ask = async |coding: &str| {
            send(
                client
                    .get(&url)
                    .bearer_auth(world.boss())
                    .header(ACCEPT_ENCODING, coding),
            )
            .await
        };
        let plain = ask("identity").await;
        for coding in ["gzip", "br", "zstd"] {
            let reply = ask(coding).await;
            assert_eq!(reply.header("content-encoding"), coding);
            assert_eq!(reply.header("etag"), plain.header("etag"));
            assert!(
                reply.body.len() * 4 < plain.body.len(),
                "{coding}: {}",
                reply.body.len()
            );
            assert_eq!(decoded(coding, &reply.body), plain.body, "{coding}{filter}");
        }
    }
}

fn decoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    futures::executor::block_on(async {
        use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
        use tokio::io::AsyncReadExt;
        match coding {
            "gzip" => GzipDecoder::new(body).read_to_end(&mut decoded).await,
            "br" => BrotliDecoder::new(body).read_to_end(&mut decoded).await,
            _ => ZstdDecoder::new(body).read_to_end(&mut decoded).await,
        }
    })
    .unwrap();
    decoded
}

#[tokio::test]
async fn a_buffered_answer_has_a_validator() {
    let world = sample().await;
    let boss = world.boss();
    for path in [
        format!("{LIST}?{RANGE}&allInOrg=true&limit=5"),
        format!("{LIST}?{RANGE}&allInOrg=true"),
        format!("{STATS}?{RANGE}"),
    ] {
        let reply = world.get(&boss, &path).await;
        let etag = reply.header("etag").to_owned();
        assert!(etag.starts_with("W/\""), "{etag}");
        assert_eq!(reply.header("cache-control"), "private, no-cache");
        assert_eq!(
            reply.header("vary"),
            "Authorization, Accept, Accept-Encoding, Origin"
        );
        let again = send(
            world
                .request(&boss, &path)
                .header(IF_NONE_MATCH, format!("\"x\", {etag}")),
        )
        .await;
        assert_eq!(
            (again.status, again.body.len(), again.header("etag")),
            (304, 0, etag.as_str())
        );
        assert_eq!(
            send(world.request(&boss, &path).header(IF_NONE_MATCH, "W/\"x\""))
                .await
                .status,
            200
        );
    }
}
