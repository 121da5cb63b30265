//! What a test has to itself: a database filled through the projector's own code, a Clerk instance, and the running service.

use std::time::Duration;

use recap_events::Decoded;
use recap_query::{
    Config, RunningServer,
    config::{Changes, ClerkConfig},
};
use recap_store::{BatchBuilder, Store, Target};
use recap_telemetry::MetricsRegistry;
use recap_testing::{
    PostgresServer, TestDatabase,
    clerk::{LocalClerk, Session},
    metrics,
};
use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use sqlx::PgPool;

/// How long the service may take to notice something.
const LIMIT: Duration = Duration::from_secs(20);

/// The organization of most tests.
pub const ORG: &str = "org_acme";
pub const LIST: &str = "/api/dashboard/getInteractions";
pub const ONE: &str = "/api/dashboard/getInteraction";
pub const STATS: &str = "/api/dashboard/getStats";
pub const SERIES: &str = "/api/dashboard/getTimeSeries";
pub const BREAKDOWN: &str = "/api/dashboard/getBreakdown";
pub const CHANGES: &str = "/api/dashboard/changes";
/// A range that holds everything.
pub const RANGE: &str = "from=2000-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";

pub struct World {
    pub clerk: LocalClerk,
    pub server: RunningServer,
    pub registry: MetricsRegistry,
    pub pool: PgPool,
    pub store: Store,
    pub client: Client,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The path of the next page of `path`, which `Link` names by its query alone.
    pub fn next(&self, path: &str) -> Option<String> {
        let link = self.header("link");
        if link.is_empty() {
            return None;
        }
        let query = link
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(">; rel=\"next\""))
            .unwrap();
        assert!(query.starts_with('?'), "{query}");
        Some(format!("{}{query}", path.split('?').next().unwrap()))
    }

    /// The ids at the top level, in order.
    pub fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text());
        ids(&self.json())
    }
}

/// The ids of an array of conversations.
pub fn ids(conversations: &Value) -> Vec<String> {
    conversations
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A world whose service is configured otherwise. The caller's rate is not limited unless `change` says so.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(PostgresServer::shared().await.unwrap(), change).await
    }

    /// The same on a server of the test's own.
    pub async fn on(postgres: &PostgresServer, change: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::migrated(postgres).await;
        let url = database.url.clone();
        Self::reading(&url, database, change).await
    }

    /// Events are committed on the primary, changes heard of there, and everything is read from its standby.
    pub async fn on_standby(
        primary: &PostgresServer,
        standby: &PostgresServer,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let database = TestDatabase::migrated(primary).await;
        primary.caught_up(standby).await.unwrap();
        let port = |server: &PostgresServer| format!(":{}/", server.port());
        let url = database.url.replace(&port(primary), &port(standby));
        let primary_url = database.url.clone();
        let change = |config: &mut Config| {
            config.changes = Changes::From(primary_url.as_str().into());
            change(config);
        };
        Self::reading(&url, database, change).await
    }

    async fn reading(url: &str, database: TestDatabase<'_>, change: impl FnOnce(&mut Config)) -> Self {
        let clerk = LocalClerk::start().await.unwrap();
        let mut config = Config::local(url, ClerkConfig::fetched(clerk.issuer(), clerk.jwks_url()));
        config.limits.rate = 0;
        config.limits.connections = 4;
        config.limits.streams = 2;
        config.limits.streams_per_organization = 2;
        change(&mut config);
        let registry = MetricsRegistry::new().unwrap();
        let server = recap_query::serve(config, registry.clone()).await.unwrap();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let TestDatabase { pool, store, .. } = database;
        Self {
            clerk,
            server,
            registry,
            pool,
            store,
            client,
        }
    }

    pub fn member(&self, org_id: &str, user_id: &str) -> String {
        self.clerk.token(&Session::member(org_id, user_id)).unwrap()
    }

    pub fn admin(&self, org_id: &str, user_id: &str) -> String {
        self.clerk.token(&Session::admin(org_id, user_id)).unwrap()
    }

    /// A token of an administrator of [`ORG`].
    pub fn boss(&self) -> String {
        self.admin(ORG, "user_boss")
    }

    pub fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.server.addr)
    }

    pub fn request(&self, token: &str, path_and_query: &str) -> RequestBuilder {
        self.client.get(self.url(path_and_query)).bearer_auth(token)
    }

    pub async fn get(&self, token: &str, path_and_query: &str) -> Reply {
        send(self.request(token, path_and_query)).await
    }

    /// A GET of the admin address.
    pub async fn probe(&self, path: &str) -> Reply {
        send(self.client.get(format!("http://{}{path}", self.server.admin_addr))).await
    }

    pub async fn plain(&self, method: Method, path_and_query: &str) -> Reply {
        send(self.client.request(method, self.url(path_and_query))).await
    }

    /// Everything of [`ORG`] that matches `filter`, as its administrator sees it.
    pub async fn list(&self, filter: &str) -> Reply {
        let and = if filter.is_empty() { "" } else { "&" };
        self.get(&self.boss(), &format!("{LIST}?{RANGE}&allInOrg=true{and}{filter}"))
            .await
    }

    /// Commits events, all in one flush.
    pub async fn publish(&self, events: &[Value]) {
        let lines: Vec<Vec<u8>> = events.iter().map(|event| serde_json::to_vec(event).unwrap()).collect();
        let mut builder = BatchBuilder::default();
        for line in &lines {
            match recap_events::decode(Some(line), std::iter::empty(), None) {
                Decoded::Event(event) => builder.add(&event),
                Decoded::Skipped(_) => {}
                Decoded::Invalid(invalid) => panic!("{invalid:?}"),
            }
        }
        let mut batch = builder.build();
        let generation = self.store.live_generation().await.unwrap();
        self.store.flush(Target::Live(generation), &mut batch).await.unwrap();
    }

    /// The sum of a metric's series whose labels contain all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let sum = metrics::sum(&self.registry.render().unwrap(), name, labels);
        u64::try_from(sum.unwrap_or(0)).unwrap()
    }
}

/// A refusal as the contract has them.
pub fn assert_problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.json();
    assert_eq!(
        (&problem["type"], &problem["status"]),
        (&json!("about:blank"), &json!(status))
    );
    assert!(problem["title"].is_string() && problem["detail"] == problem["error"]);
    assert!(problem["code"].is_string(), "{problem}");
    assert_eq!(problem["requestId"], reply.header("x-request-id"));
}

pub async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply {
        status,
        headers,
        body: response.bytes().await.unwrap().to_vec(),
    }
}

/// Asks until the answer satisfies, for as long as the service may take to notice something.
pub async fn eventually<T: std::fmt::Debug>(ask: impl AsyncFn() -> T, satisfies: impl Fn(&T) -> bool) -> T {
    recap_testing::eventually("the answer", LIMIT, ask, satisfies).await
}

/// An event of [`ORG`]; its id follows from its content, so the same event twice is one event.
pub fn event(kind: &str, time: &str, data: Value) -> Value {
    event_of(ORG, kind, time, data)
}

pub fn event_of(org_id: &str, kind: &str, time: &str, mut data: Value) -> Value {
    data["orgId"] = json!(org_id);
    let id = format!("{time}-{:016x}", hash(&format!("{kind}{data}")));
    json!({ "specversion": "1.0", "id": id, "source": "test", "type": kind, "time": time, "data": data })
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A conversation of a user with one message, created and last touched at `time`.
pub fn conversation(id: &str, user_id: &str, time: &str) -> Value {
    event(
        "conversation.upserted",
        time,
        json!({ "conversationId": id, "userId": user_id, "createdAt": time }),
    )
}

/// The same inside `parent`.
pub fn child(id: &str, parent: &str, user_id: &str, time: &str) -> Value {
    let data = json!({ "conversationId": id, "userId": user_id, "createdAt": time, "upstreamConversationId": parent });
    event("conversation.upserted", time, data)
}
