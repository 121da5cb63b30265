//! One conversation by its id.

use serde_json::json;

use crate::world::{LIST, ONE, ORG, RANGE, World, assert_problem, child, conversation, event, event_of};

#[tokio::test]
async fn it_is_the_element_of_the_list_and_a_stranger_cannot_tell_why_not() {
    let world = World::start().await;
    world
        .publish(&[
            conversation("top", "user_ada", "2024-01-01T00:00:00Z"),
            child("inside", "top", "user_ada", "2024-01-02T00:00:00Z"),
            child("of-lin", "top", "user_lin", "2024-01-03T00:00:00Z"),
            conversation("gone", "user_ada", "2024-01-01T00:00:00Z"),
            event(
                "conversation.deleted",
                "2024-01-02T00:00:00Z",
                json!({ "conversationId": "gone" }),
            ),
            event_of(
                "org_other",
                "conversation.upserted",
                "2024-01-01T00:00:00Z",
                json!({ "conversationId": "theirs", "userId": "user_ada" }),
            ),
        ])
        .await;
    let boss = world.boss();
    let ada = world.member(ORG, "user_ada");
    let one = |id: &str| format!("{ONE}?id={id}");
    let list = world.get(&boss, &format!("{LIST}?{RANGE}&allInOrg=true")).await;
    let of_boss = world.get(&boss, &one("top")).await;
    assert_eq!(of_boss.json(), list.json()[0]);
    assert_eq!(of_boss.header("cache-control"), "private, no-cache");
    assert!(of_boss.header("etag").starts_with("W/"));
    // A member sees own ones inside.
    let of_ada = world.get(&ada, &one("top")).await.json();
    assert_eq!(of_ada["subConversations"].as_array().unwrap().len(), 1);
    assert_eq!(of_ada["subConversations"][0]["id"], "inside");
    // One that is inside another stands by itself.
    assert_eq!(world.get(&ada, &one("inside")).await.json()["id"], "inside");
    let without = world
        .get(&ada, &format!("{}&exclude=toolCalls", one("top")))
        .await
        .json();
    assert!(without.get("toolCalls").is_none() && without["subConversations"][0].get("toolCalls").is_none());

    let missing = world.get(&ada, &one("nowhere")).await;
    for id in ["of-lin", "gone", "theirs"] {
        let reply = world.get(&ada, &one(id)).await;
        assert_problem(&reply, 404);
        let (mut reply, mut expected) = (reply.json(), missing.json());
        for problem in [&mut reply, &mut expected] {
            problem["requestId"] = json!(null);
        }
        assert_eq!(reply, expected);
    }
}

#[tokio::test]
async fn one_that_is_too_wide_for_memory_is_streamed_whole() {
    let world = World::start_with(|config| config.limits.page_bytes = 64 * 1024).await;
    let mut events = vec![conversation("top", "user_ada", "2024-01-01T00:00:00Z")];
    for number in 0..200 {
        let id = format!("inside{number:03}");
        events.push(child(&id, "top", "user_ada", "2024-01-02T00:00:00Z"));
        let result = "x".repeat(2_000);
        let call = json!({ "conversationId": id, "toolCallId": "t", "toolName": "search", "args": {"q": result} });
        events.push(event("tool_call.started", "2024-01-02T00:00:00Z", call));
    }
    world.publish(&events).await;
    let reply = world.get(&world.boss(), &format!("{ONE}?id=top")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("etag"), "", "streamed");
    let one = reply.json();
    let inside = one["subConversations"].as_array().unwrap();
    assert_eq!(inside.len(), 200);
    assert!(
        inside
            .iter()
            .all(|one| one["toolCalls"][0]["args"]["q"].as_str().unwrap().len() == 2_000)
    );
    assert_problem(&world.get(&world.boss(), &format!("{ONE}?id=nowhere")).await, 404);
}
