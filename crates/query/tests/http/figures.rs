//! Time series and breakdowns: their shape, and that they count what the list shows.

use serde_json::{Value, json};

use crate::world::{BREAKDOWN, ORG, RANGE, SERIES, STATS, World, conversation, event, event_of};

fn sum(elements: &Value, field: &str) -> i64 {
    let elements = elements.as_array().unwrap().iter();
    elements.map(|element| element[field].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn groups_beyond_the_most_are_one_rest_and_everything_is_counted_once() {
    let world = World::start().await;
    let mut events = Vec::new();
    for number in 0..120 {
        let id = format!("c{number:03}");
        let time = format!("2024-01-{:02}T10:00:00Z", number % 3 + 1);
        // The user with the greater number has more conversations: 0, 0 1, 0 1 2, …
        events.push(conversation(&id, &format!("user{:02}", number % 60), &time));
        let call = |tool: usize| {
            let id = &id;
            json!({ "conversationId": id, "toolCallId": format!("t{tool}"), "toolName": format!("tool{tool}") })
        };
        for tool in 0..number % 4 {
            events.push(event("tool_call.started", &time, call(tool)));
        }
    }
    world.publish(&events).await;
    let boss = world.boss();
    let days = "from=2024-01-01T00:00:00Z&to=2024-01-04T00:00:00Z&allInOrg=true&interval=day";
    let series = world
        .get(&boss, &format!("{SERIES}?{days}&groupBy=userId"))
        .await
        .json();
    let elements = series.as_array().unwrap();
    assert_eq!(elements.len(), 4 * 51, "50 users and the rest in each of four days");
    assert_eq!(elements[50]["group"], Value::Null);
    assert_eq!(elements[50]["other"], true);
    assert_eq!(elements[0]["group"], "user00");
    assert!(elements[0].get("other").is_none());
    assert_eq!(sum(&series, "conversationCount"), 120);
    let rest = elements[50..]
        .iter()
        .step_by(51)
        .map(|rest| rest["conversationCount"].as_i64().unwrap());
    assert_eq!(rest.sum::<i64>(), 20);
    let whole = world.get(&boss, &format!("{SERIES}?{days}")).await.json();
    assert_eq!(whole.as_array().unwrap().len(), 4);
    assert!(whole[0].get("group").is_none());
    assert_eq!(whole[3]["durationP50"], Value::Null);

    // Conversations with two tools of the rest are in it once.
    let by_tool = world
        .get(&boss, &format!("{BREAKDOWN}?{RANGE}&allInOrg=true&by=toolName&top=1"))
        .await
        .json();
    assert_eq!(by_tool[0]["value"], "tool0");
    assert_eq!(
        (&by_tool[0]["conversationCount"], &by_tool[0]["toolCalls"]),
        (&json!(90), &json!(90))
    );
    assert_eq!(
        (&by_tool[1]["conversationCount"], &by_tool[1]["toolCalls"]),
        (&json!(60), &json!(90))
    );
    assert_eq!(by_tool[1]["other"], true);
    let stats = world.get(&boss, &format!("{STATS}?{RANGE}&allInOrg=true")).await.json();
    assert_eq!(stats["toolCalls"], 180);
    assert_eq!(sum(&by_tool, "toolCalls"), 180);
}

#[tokio::test]
async fn a_member_counts_own_conversations_and_nobody_those_of_others() {
    let world = World::start().await;
    let foreign = json!({ "conversationId": "x", "userId": "user_ada", "createdAt": "2024-01-01T00:00:00Z" });
    world
        .publish(&[
            conversation("a", "user_ada", "2024-01-01T00:00:00Z"),
            conversation("b", "user_lin", "2024-01-01T00:00:00Z"),
            event_of("org_other", "conversation.upserted", "2024-01-01T00:00:00Z", foreign),
        ])
        .await;
    let ada = world.member(ORG, "user_ada");
    for path in [
        format!("{SERIES}?{RANGE}&interval=month&groupBy=userId")
            .replace("2000-01-01", "2024-01-01")
            .replace("2099", "2025"),
        format!("{BREAKDOWN}?{RANGE}&by=userId"),
    ] {
        let reply = world.get(&ada, &path).await;
        assert_eq!(sum(&reply.json(), "conversationCount"), 1, "{path}: {}", reply.text());
        assert!(!reply.text().contains("user_lin"));
        let asking_for_all = world.get(&ada, &format!("{path}&allInOrg=true")).await;
        assert_eq!(asking_for_all.status, 403);
    }
    let nobody = world.member("org_third", "user_ada");
    let none = world.get(&nobody, &format!("{BREAKDOWN}?{RANGE}&by=agentModel")).await;
    assert_eq!(none.json(), json!([]));
}
