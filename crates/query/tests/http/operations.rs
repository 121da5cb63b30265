//! Everything around the two endpoints: statuses, request ids, CORS, health, metrics, the description.

use std::time::{Duration, Instant};

use reqwest::{
    Method,
    header::{ORIGIN, USER_AGENT},
};
use serde_json::json;

use crate::world::{LIST, ORG, RANGE, Reply, STATS, World, assert_problem, conversation, eventually, send};

#[tokio::test]
async fn what_is_not_there_and_what_is_not_taken_are_problems_too() {
    let world = World::start().await;
    assert_problem(&world.plain(Method::GET, "/api/dashboard/getinteractions").await, 404);
    assert_problem(&world.plain(Method::GET, "/").await, 404);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let reply = world.plain(method, &format!("{LIST}?{RANGE}")).await;
        assert_problem(&reply, 405);
        assert_eq!(reply.header("allow"), "GET,HEAD");
    }
    let request = world.request(&world.boss(), &format!("{STATS}?{RANGE}"));
    assert_problem(&send(request.try_clone().unwrap().body("x".repeat(20_000))).await, 413);
    assert_eq!(send(request.body("{}")).await.status, 200);
    assert_problem(&world.plain(Method::GET, &format!("{STATS}?{RANGE}")).await, 401);
}

#[tokio::test]
async fn refusals_come_in_the_contracts_order() {
    let world = World::start_with(|config| {
        config.limits.rate = 1;
        config.limits.burst = 1;
    })
    .await;
    let bad_and_forbidden = format!("{LIST}?{RANGE}&allInOrg=true&limit=0");
    let code = |reply: &Reply| reply.json()["code"].as_str().unwrap().to_owned();
    let nobody = world.plain(Method::GET, &bad_and_forbidden).await;
    assert_problem(&nobody, 401);
    assert_eq!(code(&nobody), "missing_token");
    assert_eq!(code(&world.get("nonsense", &bad_and_forbidden).await), "invalid_token");
    let homeless = world
        .clerk
        .token(&recap_testing::clerk::Session {
            org_id: None,
            ..recap_testing::clerk::Session::member(ORG, "u")
        })
        .unwrap();
    for _ in 0..3 {
        let reply = world.get(&homeless, &bad_and_forbidden).await;
        assert_problem(&reply, 403);
        assert_eq!(code(&reply), "no_organization");
    }
    let member = world.member(ORG, "ada");
    let bad = world.get(&member, &bad_and_forbidden).await;
    assert_problem(&bad, 400);
    assert_eq!(code(&bad), "bad_parameter");
    let limited = world.get(&member, &bad_and_forbidden).await;
    assert_problem(&limited, 429);
    assert_eq!(code(&limited), "rate_limited");
    assert_eq!(limited.header("retry-after"), "1");
    // Another user of the organization, and the same user of another one, have rates of their own.
    let forbidden = world
        .get(&world.member(ORG, "lin"), &format!("{LIST}?{RANGE}&allInOrg=true"))
        .await;
    assert_problem(&forbidden, 403);
    assert_eq!(code(&forbidden), "admin_only");
    assert_eq!(
        world
            .get(&world.member("org_other", "ada"), &format!("{STATS}?{RANGE}"))
            .await
            .status,
        200
    );
    let again = eventually(
        async || world.get(&member, &format!("{STATS}?{RANGE}")).await,
        |reply| reply.status != 429,
    )
    .await;
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::start().await;
    world
        .publish(&[conversation("c1", "ada", "2024-03-01T10:00:00Z")])
        .await;
    for path in [
        format!("{LIST}?{RANGE}&limit=5"),
        format!("{LIST}?{RANGE}"),
        format!("{STATS}?{RANGE}"),
    ] {
        let got = world.get(&world.boss(), &path).await;
        let head = send(world.client.head(world.url(&path)).bearer_auth(world.boss())).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("etag"), got.header("etag"));
        assert_eq!(head.header("content-type"), "application/json");
    }
    // A refusal's head is that of the same refusal.
    for (path, status) in [(format!("{LIST}?{RANGE}"), 401), ("/nowhere".to_owned(), 404)] {
        let got = world.plain(Method::GET, &path).await;
        let head = world.plain(Method::HEAD, &path).await;
        assert_eq!((head.status, head.body.len()), (status, 0));
        for name in ["content-type", "content-length", "www-authenticate"] {
            assert_eq!(head.header(name), got.header(name), "{name}");
        }
    }
}

#[tokio::test]
async fn a_request_has_an_id() {
    let world = World::start().await;
    let ask = async |id: &str| {
        send(world.client.get(world.url("/docs")).header("x-request-id", id))
            .await
            .header("x-request-id")
            .to_owned()
    };
    assert_eq!(ask("trace-1_a.b").await, "trace-1_a.b");
    for odd in ["", "a b", "<script>", &"x".repeat(129)] {
        let id = ask(odd).await;
        assert!(id != odd && id.len() == 36, "{id}");
    }
    let first = world.plain(Method::GET, "/docs").await;
    let second = world.plain(Method::GET, "/docs").await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    assert_eq!(first.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn browsers_of_listed_origins_may_call_and_a_preflight_needs_no_token() {
    let allowed = "https://app.example.com";
    let world = World::start_with(|config| config.cors_origins = vec![allowed.parse().unwrap()]).await;
    let preflight = async |origin: &str| {
        let request = world
            .client
            .request(Method::OPTIONS, world.url(LIST))
            .header(ORIGIN, origin);
        send(
            request
                .header("access-control-request-method", "GET")
                .header("access-control-request-headers", "authorization,traceparent,tracestate"),
        )
        .await
    };
    let reply = preflight(allowed).await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (200, allowed)
    );
    for name in ["authorization", "if-none-match", "traceparent", "tracestate"] {
        assert!(reply.header("access-control-allow-headers").contains(name), "{name}");
    }
    assert_eq!(reply.header("access-control-max-age"), "600");
    assert_eq!(
        preflight("https://evil.example.com")
            .await
            .header("access-control-allow-origin"),
        ""
    );

    let call = async |origin: &str| {
        send(
            world
                .request(&world.boss(), &format!("{STATS}?{RANGE}"))
                .header(ORIGIN, origin),
        )
        .await
    };
    let reply = call(allowed).await;
    assert_eq!(reply.header("access-control-allow-origin"), allowed);
    for name in ["link", "etag", "x-request-id", "retry-after"] {
        assert!(reply.header("access-control-expose-headers").contains(name), "{name}");
    }
    // Cookies count for nothing here, so no page is told that it may send them.
    assert_eq!(reply.header("access-control-allow-credentials"), "");
    assert_eq!(
        reply.header("vary"),
        "Authorization, Cookie, Accept, Accept-Encoding, Origin"
    );
    assert_eq!(
        call("https://evil.example.com")
            .await
            .header("access-control-allow-origin"),
        ""
    );
    // A refusal can be read by the page too.
    let refused = send(world.client.get(world.url(LIST)).header(ORIGIN, allowed)).await;
    assert_eq!(
        (refused.status, refused.header("access-control-allow-origin")),
        (401, allowed)
    );

    // What does not ask for a token may be kept by anybody on the way: it says whom it is for.
    for path in ["/openapi.json", "/docs", "/docs.js", "/docs-ui.js"] {
        let request = world.client.get(world.url(path)).header(ORIGIN, allowed);
        assert_eq!(send(request).await.header("vary"), "Origin", "{path}");
    }

    let closed = World::start().await;
    let preflight = closed.client.request(Method::OPTIONS, closed.url(LIST));
    let preflight = preflight
        .header(ORIGIN, allowed)
        .header("access-control-request-method", "GET");
    assert_problem(&send(preflight).await, 405);
    let request = closed
        .request(&closed.boss(), &format!("{STATS}?{RANGE}"))
        .header(ORIGIN, allowed);
    assert_eq!(send(request).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn health_tells_the_parts() {
    let world = World::start_with(|config| config.timeouts.drain_delay = Duration::from_secs(2)).await;
    assert_eq!(world.probe("/livez").await.status, 200);
    // Not for the public.
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_problem(&world.plain(Method::GET, path).await, 404);
    }
    let ready = async || world.probe("/readyz").await;
    eventually(ready, |reply| reply.status == 200).await;
    sqlx::raw_sql("UPDATE recap.migration SET version = version + 1000")
        .execute(&world.pool)
        .await
        .unwrap();
    let unready = eventually(ready, |reply| reply.status == 503).await;
    assert_eq!(
        unready.json(),
        json!({ "ready": false, "database": false, "keys": true, "accepting": true })
    );
    sqlx::raw_sql("UPDATE recap.migration SET version = version - 1000")
        .execute(&world.pool)
        .await
        .unwrap();
    eventually(ready, |reply| reply.status == 200).await;

    // While draining it is not ready, but answers.
    let (addr, admin_addr, token) = (world.server.addr, world.server.admin_addr, world.boss());
    let stopping = tokio::spawn(world.server.stop());
    let url = |path: &str| format!("http://{addr}{path}");
    let draining = async || send(world.client.get(format!("http://{admin_addr}/readyz"))).await;
    let reply = eventually(draining, |reply| reply.status == 503).await;
    assert_eq!(reply.json()["accepting"], false);
    let stats = world.client.get(url(&format!("{STATS}?{RANGE}"))).bearer_auth(token);
    assert_eq!(send(stats).await.status, 200);
    assert!(stopping.await.unwrap());
    assert!(world.client.get(url("/docs")).send().await.is_err());
}

/// A proxy that stops sending requests three seconds after readiness failed, each on a connection of its own.
#[tokio::test]
async fn a_proxy_that_learns_late_of_the_end_is_refused_nothing() {
    let world = World::start_with(|config| config.timeouts.drain_delay = Duration::from_secs(5)).await;
    let (addr, admin_addr, token) = (world.server.addr, world.server.admin_addr, world.boss());
    let stopping = tokio::spawn(world.server.stop());
    let readiness = async || send(world.client.get(format!("http://{admin_addr}/readyz"))).await;
    eventually(readiness, |reply| reply.status == 503).await;
    let not_ready = Instant::now();
    let (mut answered, mut refused) = (0, 0);
    while not_ready.elapsed() < Duration::from_secs(3) {
        let alone = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let stats = alone
            .get(format!("http://{addr}{STATS}?{RANGE}"))
            .bearer_auth(&token)
            .send();
        match stats.await {
            Ok(answer) if answer.status() == 200 => answered += 1,
            _ => refused += 1,
        }
    }
    assert!(answered > 0);
    assert_eq!(refused, 0, "of {answered}");
    assert!(stopping.await.unwrap());
}

#[tokio::test]
async fn measurements_name_routes_and_no_secrets() {
    let world = World::start().await;
    let token = world.admin("org_secret", "user_secret");
    let path = format!("{LIST}?{RANGE}&allInOrg=true&userId=user_x&metadataValue=eve@example.com&limit=5");
    assert_eq!(world.get(&token, &path).await.status, 200);
    assert_eq!(world.plain(Method::GET, "/nowhere/user_x").await.status, 404);
    let reply = eventually(
        async || world.probe("/metrics").await,
        |reply| reply.text().contains(LIST),
    )
    .await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = reply.text();
    assert!(text.contains("http_server_request_duration_seconds_count"), "{text}");
    for secret in ["org_secret", "user_secret", "user_x", "eve@example.com", "nowhere"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_description_and_its_page_are_served_and_need_nothing_from_outside() {
    let world = World::start().await;
    let document = world.plain(Method::GET, "/openapi.json").await;
    assert_eq!(
        (document.status, document.json()["openapi"].clone()),
        (200, json!("3.1.0"))
    );
    let page = world.plain(Method::GET, "/docs").await;
    let script = world.plain(Method::GET, "/docs.js").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, "text/javascript; charset=utf-8")
    );
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; script-src 'self'")
    );
    for text in [page.text(), script.text()] {
        assert!(!text.contains("http://") && !text.contains("https://"));
    }
    // Swagger UI's own files, compressed for those who take them so, and the same for others.
    for (path, content_type, beginning) in [
        (
            "/docs-ui.js",
            "text/javascript; charset=utf-8",
            "/*! For license information",
        ),
        ("/docs-ui.css", "text/css; charset=utf-8", ".swagger-ui"),
    ] {
        assert!(page.text().contains(&path[1..]), "{path}");
        let plain = world.plain(Method::GET, path).await;
        let client = reqwest::Client::builder().no_gzip().build().unwrap();
        let request = client.get(world.url(path)).header("accept-encoding", "br, gzip");
        let packed = send(request).await;
        assert_eq!((plain.status, plain.header("content-type")), (200, content_type));
        assert!(plain.text().starts_with(beginning), "{}", &plain.text()[..100]);
        assert_eq!(
            (plain.header("content-encoding"), packed.header("content-encoding")),
            ("", "gzip")
        );
        assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() * 3 < plain.body.len());
    }
}

#[tokio::test]
async fn the_description_has_the_fields_of_the_answers() {
    let world = World::start().await;
    let call = json!({ "conversationId": "c1", "toolCallId": "t1", "toolName": "search" });
    let feedback = json!({ "conversationId": "c1", "feedbackId": "f1", "helpful": true });
    world
        .publish(&[
            conversation("c1", "ada", "2024-03-01T10:00:00Z"),
            crate::world::event("tool_call.started", "2024-03-01T10:00:01Z", call),
            crate::world::event("feedback.submitted", "2024-03-01T10:00:02Z", feedback),
        ])
        .await;
    let document = world.plain(Method::GET, "/openapi.json").await.json();
    let described = |schema: &str| {
        document["components"]["schemas"][schema]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let shown = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let one = world.list("").await.json()[0].clone();
    let stats = world.get(&world.boss(), &format!("{STATS}?{RANGE}")).await.json();
    let problem = world.get(&world.boss(), LIST).await.json();
    let pairs = [
        ("Interaction", &one),
        ("ToolCall", &one["toolCalls"][0]),
        ("Feedback", &one["feedbackData"][0]),
        ("Statistics", &stats),
        ("ProblemDetails", &problem),
    ];
    for (schema, value) in pairs {
        let mut expected = described(schema);
        expected.sort();
        assert_eq!(shown(value), expected, "{schema}");
    }
    // A client of any kind is served alike.
    assert_eq!(
        send(
            world
                .request(&world.boss(), &format!("{STATS}?{RANGE}"))
                .header(USER_AGENT, "")
        )
        .await
        .status,
        200
    );
}
