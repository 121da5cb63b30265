//! Other orders: pages, streams and flat rows agree on them.

use serde_json::{Value, json};

use crate::world::{LIST, RANGE, World, conversation, event};

/// 60 conversations whose orders all differ, with ties.
fn events() -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..60_u32 {
        let id = format!("c{number:02}");
        let day = format!("2024-01-{:02}T00:00:00Z", number * 7 % 28 + 1);
        events.push(conversation(&id, "user_ada", &day));
        for message in 0..number * 11 % 5 {
            let data = json!({
                "conversationId": id, "messageId": format!("m{message}"), "role": "user",
                "createdAt": format!("2024-02-01T00:00:{:02}Z", message * (number % 7)),
                "usage": { "inputTokens": number * 13 % 9 },
            });
            events.push(event(
                "message.created",
                &format!("2024-02-01T00:{message:02}:00Z"),
                data,
            ));
        }
    }
    events
}

fn sorted(rows: &[Value], field: &str) -> Vec<String> {
    let mut rows = rows.to_vec();
    let key = |row: &Value| match &row[field] {
        Value::String(text) => text.clone(),
        number => format!("{:020.3}", number.as_f64().unwrap()),
    };
    rows.sort_by(|a, b| key(b).cmp(&key(a)).then(a["id"].as_str().cmp(&b["id"].as_str())));
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_order_is_the_same_in_pages_streams_and_flat_rows() {
    let world = World::start_with(|config| config.limits.page_bytes = 64 * 1024).await;
    world.publish(&events()).await;
    let boss = world.boss();
    let all = world.list("").await.json();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 60);
    for sort in ["updatedAt", "createdAt", "totalTokens", "totalMessageCount", "duration"] {
        let expected = sorted(all, sort);
        let base = format!("{LIST}?{RANGE}&allInOrg=true&sort={sort}");
        assert_eq!(world.get(&boss, &base).await.ids(), expected, "{sort}, unpaged");
        let mut next = Some(format!("{base}&limit=7"));
        let mut paged = Vec::new();
        while let Some(path) = next {
            let page = world.get(&boss, &path).await;
            paged.extend(page.ids());
            next = page.next(&path);
        }
        assert_eq!(paged, expected, "{sort}, paged");
        let lines = world.request(&boss, &base).header("accept", "application/x-ndjson");
        let lines = crate::world::send(lines).await.text();
        let ids: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids: Vec<&str> = ids.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{sort}, flat");
    }
    // A cursor belongs to its order.
    let page = world
        .get(&boss, &format!("{LIST}?{RANGE}&allInOrg=true&sort=duration&limit=7"))
        .await;
    let other = page.next(LIST).unwrap().replace("sort=duration", "sort=totalTokens");
    assert_eq!(world.get(&boss, &other).await.status, 400);
}
