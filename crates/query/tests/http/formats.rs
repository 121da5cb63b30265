//! Representations: JSON in the contract's order, NDJSON, CSV, codings, validators.

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
            .request(&world.boss(), &format!("{LIST}?{RANGE}&allInOrg=true{filter}"))
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
            rows.iter().map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(),
            ["c2", "c1"]
        );
        assert_eq!(rows[0]["upstreamConversationId"], "c1");
        assert!(rows.iter().all(|row| row.get("subConversations").is_none()));
    }
    let first = accepting(&world, "application/x-ndjson", "&limit=1").await;
    let next = first.next(LIST).unwrap();
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
    assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8; header=present");
    let text = reply.text();
    let columns: Vec<&str> = FIELDS
        .iter()
        .copied()
        .filter(|field| !["toolCalls", "subConversations"].contains(field))
        .collect();
    assert!(text.starts_with(&format!("{}\r\n", columns.join(","))), "{text}");
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
async fn no_column_starts_a_formula() {
    let world = World::start().await;
    let starts = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\n', '\r'];
    let mut events = Vec::new();
    for (n, start) in starts.iter().enumerate() {
        let text = |column: &str| format!("{start}{column}");
        let (id, user, agent) = (text("id"), text("user"), -1 - i64::try_from(n).unwrap());
        let time = format!("2024-03-01T10:00:{n:02}Z");
        let upserted = json!({ "conversationId": id, "userId": user, "agentId": agent,
            "upstreamConversationId": text("parent"), "createdAt": time });
        let message = json!({ "conversationId": id, "messageId": "m", "role": "assistant", "createdAt": time,
            "text": text("text"), "model": text("model"), "finishReason": text("reason") });
        let profile = json!({ "userId": user, "email": text("mail"), "firstName": text("first"), "lastName": text("last"),
            "publicMetadata": { text("key"): text("value") } });
        let agent = json!({ "agentId": agent, "name": text("name"), "logoUrl": text("logo") });
        let call =
            json!({ "conversationId": id, "toolCallId": text("call"), "toolName": text("tool"), "args": text("args") });
        let feedback = json!({ "conversationId": id, "feedbackId": text("feedback"), "helpful": true, "comment": text("comment") });
        for (kind, data) in [
            ("conversation.upserted", upserted),
            ("message.upserted", message),
            ("user.upserted", profile),
            ("agent.upserted", agent),
            ("tool_call.started", call),
            ("feedback.submitted", feedback),
        ] {
            events.push(event(kind, &time, data));
        }
    }
    world.publish(&events).await;
    for filter in ["", "&limit=20"] {
        let text = accepting(&world, "text/csv", filter).await.text();
        let rows = records(&text);
        assert_eq!(rows.len(), starts.len() + 1);
        for row in &rows {
            assert_eq!(row.len(), FIELDS.len() - 1);
            let formula = row
                .iter()
                .enumerate()
                .find(|(column, cell)| *column != 1 && cell.starts_with(starts));
            assert_eq!(formula, None, "{row:?}");
            // A number is one, negative or not.
            assert!(
                row[1] == "agentId" || row[1].parse::<i64>().is_ok_and(|agent| agent < 0),
                "{row:?}"
            );
        }
        // Behind the mark every value is as it was.
        let last = &rows[1];
        assert_eq!(
            [&last[0], &last[1], &last[5], &last[9], &last[13]],
            ["'\rid", "-11", "'\rname", "'\rmail", "'\rtext"]
        );
        assert!(last[22].starts_with("[{\"toolCallId\":\"\\rcall\""), "{last:?}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_begins_csv_where_it_is_asked_for() {
    let world = sample().await;
    for paging in ["", "&limit=1"] {
        let plain = accepting(&world, "text/csv", paging).await;
        let marked = accepting(&world, "text/csv", &format!("{paging}&bom=true")).await;
        assert_eq!(marked.status, 200);
        assert_eq!(marked.text(), format!("\u{feff}{}", plain.text()));
        if let Some(next) = marked.next(LIST) {
            assert!(next.contains("bom=true"), "{next}");
        }
        // Without asking, and in other types, there is none.
        assert!(plain.text().starts_with("id,"));
        let json = accepting(&world, "application/json", &format!("{paging}&bom=true")).await;
        assert!(json.text().starts_with('['), "{}", json.text());
    }
}

#[tokio::test]
async fn a_streamed_answer_is_not_given_to_http_1_0() {
    let world = World::start().await;
    let conversations = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|n| conversation(&format!("c{n}"), "ada", "2024-03-01T10:00:00Z"))
            .collect()
    };
    world.publish(&conversations(10)).await;
    let ask = async |version: &str, filter: &str| {
        let request = format!(
            "GET {LIST}?{RANGE}&allInOrg=true{filter} HTTP/{version}\r\nHost: recap\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            world.boss()
        );
        let mut stream = tokio::net::TcpStream::connect(world.server.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    // A whole answer has its length.
    assert!(ask("1.0", "").await.starts_with("HTTP/1.0 200 "));
    world.publish(&conversations(100)).await;
    let refused = ask("1.0", "").await;
    assert!(
        refused.starts_with("HTTP/1.0 505 ") && refused.contains("\"code\":\"http_version\""),
        "{refused}"
    );
    assert!(ask("1.0", "&limit=100").await.starts_with("HTTP/1.0 200 "));
    let streamed = ask("1.1", "").await;
    assert!(streamed.starts_with("HTTP/1.1 200 ") && streamed.ends_with("\r\n0\r\n\r\n"));
}

/// The records of a CSV text (RFC 4180).
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(characters.next(), Some('\n'));
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            other => cell.push(other),
        }
    }
    assert!(record.is_empty() && cell.is_empty() && !quoted, "{text}");
    records
}

#[tokio::test]
async fn what_cannot_be_given_is_a_406() {
    let world = sample().await;
    for (path, accept) in [(LIST, "image/png"), (STATS, "text/csv"), (LIST, "application/json;q=0")] {
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
        .map(|n| conversation(&format!("conversation-{n:03}"), "ada", "2024-03-01T10:00:00Z"))
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
            assert_validated(&client, &url, &world.boss(), coding, &reply).await;
        }
    }
}

/// A client that has the coded answer is told so, and `HEAD` describes what `GET` sends.
async fn assert_validated(client: &reqwest::Client, url: &str, token: &str, coding: &str, reply: &Reply) {
    let ask = |method: reqwest::Method| {
        client
            .request(method, url)
            .bearer_auth(token)
            .header(ACCEPT_ENCODING, coding)
    };
    let head = send(ask(reqwest::Method::HEAD)).await;
    for name in ["content-encoding", "content-type", "etag", "link", "vary"] {
        assert_eq!(head.header(name), reply.header(name), "{name}");
    }
    assert!(head.body.is_empty());
    let etag = reply.header("etag");
    if etag.is_empty() {
        return;
    }
    assert_eq!(head.header("content-length"), reply.header("content-length"));
    for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
        let known = send(ask(method).header(IF_NONE_MATCH, etag)).await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        for name in ["etag", "cache-control", "vary", "link"] {
            assert_eq!(known.header(name), reply.header(name), "{name}");
        }
        assert_eq!(
            (known.header("content-encoding"), known.header("content-type")),
            ("", "")
        );
        assert!(!known.header("x-request-id").is_empty());
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
            "Authorization, Cookie, Accept, Accept-Encoding, Origin"
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
