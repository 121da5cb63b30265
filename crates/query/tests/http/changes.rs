//! The stream of changes.

use std::time::Duration;

use recap_testing::clerk::Session;
use tokio::time::{Instant, timeout};

use crate::world::{CHANGES, ORG, World, conversation, send};

/// Server-sent events as they come.
pub struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    pub async fn open(world: &World, token: &str) -> Self {
        let response = world.request(token, CHANGES).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "private, no-cache");
        let text = String::new();
        Self { response, text }
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if !event.starts_with(':') {
                    return Some(event);
                }
                continue;
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_change_is_announced_and_many_are_one() {
    let world = World::start().await;
    let mut events = Events::open(&world, &world.member(ORG, "user_ada")).await;
    let first = timeout(SOON, events.next()).await.unwrap().unwrap();
    assert!(first.starts_with("event: changed\ndata: {\"at\": \"20"), "{first}");
    let began = Instant::now();
    let mut announced = 0;
    for number in 0..30 {
        world
            .publish(&[conversation(&format!("c{number}"), "user_lin", "2024-01-01T00:00:00Z")])
            .await;
        while timeout(Duration::from_millis(50), events.next()).await.is_ok() {
            announced += 1;
        }
    }
    // The last one is announced too.
    if announced == 0 {
        timeout(SOON, events.next()).await.unwrap().unwrap();
        announced += 1;
    }
    let most = began.elapsed().as_secs() + 2;
    assert!(announced <= most, "{announced} events in {:?}", began.elapsed());
}

#[tokio::test]
async fn it_ends_with_its_token_and_with_the_service() {
    let world = World::start().await;
    let session = Session {
        lifetime: Duration::from_secs(3),
        ..Session::member(ORG, "user_ada")
    };
    let token = world.clerk.token(&session).unwrap();
    let mut events = Events::open(&world, &token).await;
    let all = async { while events.next().await.is_some() {} };
    timeout(Duration::from_secs(20), all).await.unwrap();

    let mut events = Events::open(&world, &world.member(ORG, "user_ada")).await;
    events.next().await.unwrap();
    let World { server, .. } = world;
    let stopping = tokio::spawn(server.stop());
    let all = async { while events.next().await.is_some() {} };
    timeout(SOON, all).await.unwrap();
    assert!(timeout(SOON, stopping).await.unwrap().unwrap());
}

#[tokio::test]
async fn nobody_takes_all_places() {
    let world = World::start_with(|config| config.limits.watchers = 80).await;
    let ada = world.member(ORG, "user_ada");
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(Events::open(&world, &ada).await);
    }
    let refused = send(world.request(&ada, CHANGES)).await;
    assert_eq!(refused.status, 429);
    assert!(!refused.header("retry-after").is_empty());
    for number in 0..4 {
        open.push(Events::open(&world, &world.member(ORG, &format!("user{number}"))).await);
    }
    let refused = send(world.request(&world.member(ORG, "user_lin"), CHANGES)).await;
    assert_eq!(refused.status, 503);
    open.push(Events::open(&world, &world.member("org_other", "user_lin")).await);
    drop(open);
    let asked = async || {
        let response = world.request(&ada, CHANGES).send().await.unwrap();
        response.status().as_u16()
    };
    crate::world::eventually(asked, |status| *status == 200).await;
    // Parameters and strangers are refused as everywhere.
    assert_eq!(
        send(world.request(&ada, &format!("{CHANGES}?from=x"))).await.status,
        400
    );
    assert_eq!(world.plain(reqwest::Method::GET, CHANGES).await.status, 401);
}
