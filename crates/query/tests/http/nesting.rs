//! Sub-conversations under their parents, and pages of the top level.

use serde_json::Value;

use crate::world::{LIST, Reply, World, child, conversation, event, ids};

/// `a(b(c) d)`: each conversation with those inside it.
fn shape(conversations: &Value) -> String {
    let one = |conversation: &Value| {
        let inside = shape(&conversation["subConversations"]);
        let id = conversation["id"].as_str().unwrap();
        if inside.is_empty() {
            id.to_owned()
        } else {
            format!("{id}({inside})")
        }
    };
    conversations
        .as_array()
        .unwrap()
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(" ")
}

fn at(minute: usize) -> String {
    format!("2024-03-01T{:02}:{:02}:00Z", minute / 60, minute % 60)
}

#[tokio::test]
async fn children_nest_when_their_parent_matches_and_stand_at_the_top_otherwise() {
    let world = World::start().await;
    world
        .publish(&[
            conversation("root", "ada", &at(10)),
            child("b", "root", "ada", &at(30)),
            child("a", "root", "ada", &at(30)),
            child("newest", "root", "lin", &at(40)),
            child("grandchild", "a", "ada", &at(5)),
            child("orphan", "unknown", "ada", &at(20)),
            conversation("gone", "ada", &at(1)),
            event(
                "conversation.deleted",
                &at(2),
                serde_json::json!({ "conversationId": "gone" }),
            ),
            child("of_deleted", "gone", "ada", &at(15)),
            child("self", "self", "ada", &at(50)),
            child("ring1", "ring2", "ada", &at(51)),
            child("ring2", "ring1", "ada", &at(52)),
            child("of_ring", "ring1", "ada", &at(53)),
        ])
        .await;
    // Order is by updatedAt at every level, and a child moves nothing of its parent.
    assert_eq!(
        shape(&world.list("").await.json()),
        "of_ring ring2 ring1 self orphan of_deleted root(newest a(grandchild) b)"
    );
    // With the parent filtered out the child is at the top.
    assert_eq!(shape(&world.list("userId=lin").await.json()), "newest");
    let from = format!("{LIST}?from={}&to={}&allInOrg=true", at(20), at(40));
    assert_eq!(
        shape(&world.get(&world.boss(), &from).await.json()),
        "newest a b orphan"
    );
}

#[tokio::test]
async fn thirty_two_ancestors_nest_and_a_thirty_third_does_not() {
    let world = World::start().await;
    let mut events = vec![conversation("n00", "ada", &at(0))];
    events.extend((1..=34).map(|n| child(&format!("n{n:02}"), &format!("n{:02}", n - 1), "ada", &at(n))));
    world.publish(&events).await;
    let answer = world.list("").await.json();
    let tops = ids(&answer);
    assert_eq!(tops, ["n34", "n33", "n00"]);
    let mut depth = 0;
    let mut inner = &answer[2];
    while let Some(next) = inner["subConversations"].get(0) {
        inner = next;
        depth += 1;
    }
    assert_eq!((depth, inner["id"].as_str().unwrap()), (32, "n32"));
}

/// Follows `Link` to the end.
async fn pages(world: &World, token: &str, first: &str) -> Vec<Reply> {
    let mut pages = vec![world.get(token, first).await];
    loop {
        let Some(next) = pages[pages.len() - 1].next(first) else {
            return pages;
        };
        pages.push(world.get(token, &next).await);
    }
}

#[tokio::test]
async fn pages_cut_the_top_level_and_together_are_the_whole() {
    let world = World::start().await;
    let mut events = Vec::new();
    for n in 0..23 {
        // Some share their moment, so the id decides.
        events.push(conversation(&format!("c{n:02}"), "ada", &at(n / 3)));
        if n % 4 == 0 {
            events.push(child(&format!("s{n:02}"), &format!("c{n:02}"), "ada", &at(60 + n)));
        }
    }
    world.publish(&events).await;
    let whole = world.list("").await.json();
    for limit in [1, 2, 5, 23, 1000] {
        let first =
            format!("{LIST}?from=2024-03-01T00:00:00%2B00:00&to=2024-03-02T00:00:00Z&allInOrg=true&limit={limit}");
        let pages = pages(&world, &world.boss(), &first).await;
        assert_eq!(pages.len(), 23_usize.div_ceil(limit));
        let all: Vec<Value> = pages
            .iter()
            .flat_map(|page| page.json().as_array().unwrap().clone())
            .collect();
        assert_eq!(Value::from(all), whole, "limit {limit}");
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_its_query_and_grants_nothing() {
    let world = World::start().await;
    let mut events: Vec<_> = (0..4).map(|n| conversation(&format!("a{n}"), "ada", &at(n))).collect();
    events.extend((0..4).map(|n| conversation(&format!("l{n}"), "lin", &at(n))));
    world.publish(&events).await;
    let query = "from=2024-03-01T00:00:00Z&to=2024-03-02T00:00:00Z&limit=1";
    let ada = world.member(crate::world::ORG, "ada");
    let first = world.get(&ada, &format!("{LIST}?{query}")).await;
    let cursor = first
        .header("link")
        .split("cursor=")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        world.get(&ada, &format!("{LIST}?{query}&cursor={cursor}")).await.ids(),
        ["a2"]
    );
    // It is nobody else's, and in no other organization the same user's.
    for stranger in [
        world.member(crate::world::ORG, "lin"),
        world.member("org_other", "ada"),
        world.admin("org_other", "ada"),
    ] {
        let reply = world.get(&stranger, &format!("{LIST}?{query}&cursor={cursor}")).await;
        assert_eq!(
            (reply.status, reply.json()["parameter"].clone()),
            (400, "cursor".into())
        );
    }
    // One letter more, less or other is not it.
    for at in [0, 1, 10, 25, 30, cursor.len() - 1] {
        let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
        for altered in [
            format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]),
            format!("{}{}", &cursor[..at], &cursor[at + 1..]),
            format!("{}{other}{}", &cursor[..at], &cursor[at..]),
        ] {
            let reply = world.get(&ada, &format!("{LIST}?{query}&cursor={altered}")).await;
            assert_eq!(reply.status, 400, "{altered}");
        }
    }
    let without_calls = format!("{LIST}?{query}&exclude=toolCalls&cursor={cursor}");
    assert_eq!(world.get(&ada, &without_calls).await.ids(), ["a2"]);
    // Another limit is the same query; other filters are not.
    let wider = query.replace("limit=1", "limit=2");
    assert_eq!(
        world.get(&ada, &format!("{LIST}?{wider}&cursor={cursor}")).await.ids(),
        ["a2", "a1"]
    );
    let others = ["&metadataKey=x", "&metadataValue=x", "&allInOrg=true"];
    for other in others {
        let reply = world
            .get(&world.boss(), &format!("{LIST}?{query}{other}&cursor={cursor}"))
            .await;
        assert_eq!(
            (reply.status, reply.json()["parameter"].clone()),
            (400, "cursor".into()),
            "{other}"
        );
    }
    let moved = query.replace("2024-03-02", "2024-03-03");
    assert_eq!(
        world.get(&ada, &format!("{LIST}?{moved}&cursor={cursor}")).await.status,
        400
    );
    // A member's cursor with allInOrg is refused by role, not by the cursor.
    assert_eq!(
        world
            .get(&ada, &format!("{LIST}?{query}&allInOrg=true&cursor={cursor}"))
            .await
            .status,
        403
    );
}
