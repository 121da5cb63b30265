//! The contract's own example.

use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn the_golden_requests_are_answered_exactly() {
    let world = World::start().await;
    world.publish(&events()).await;
    assert_answers(&world).await;
}

pub fn events() -> Vec<Value> {
    let lines = read("events.ndjson");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read(name: &str) -> String {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/tests/golden/");
    std::fs::read_to_string(format!("{directory}{name}")).unwrap()
}

/// Asks everything, once the golden events are there to be read.
pub async fn assert_answers(world: &World) {
    let mut requests = Vec::new();
    for list in ["requests.json", "requests-1.1.json"] {
        let list: Vec<Value> = serde_json::from_str(&read(list)).unwrap();
        requests.extend(list);
    }
    assert_eq!(requests.len(), 6 + 17);
    for request in &requests {
        let text = |name: &str| request[name].as_str().unwrap();
        let token = match text("role") {
            "org:admin" => world.admin(text("orgId"), text("caller")),
            _ => world.member(text("orgId"), text("caller")),
        };
        // None of the values holds a character that would need encoding.
        let pair = |(name, value): (&String, &Value)| format!("{name}={}", value.as_str().unwrap());
        let query: Vec<String> = request["query"].as_object().unwrap().iter().map(pair).collect();
        let reply = world
            .get(&token, &format!("{}?{}", text("path"), query.join("&")))
            .await;
        let status = request["status"].as_u64().unwrap_or(200);
        assert_eq!(u64::from(reply.status), status, "{request}: {}", reply.text());
        if status != 200 {
            continue;
        }
        let expected: Value = serde_json::from_str(&read(text("response"))).unwrap();
        assert_eq!(reply.json(), expected, "{}", text("response"));
    }
}
