//! `GET /api/dashboard/changes`: says when answers for the caller's organization may have changed, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::Response,
};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderValue, Version, header::CONTENT_TYPE};
use recap_service::clock;
use tokio::time::{Instant, sleep_until};

use crate::{
    auth::Caller,
    http::{headers::RequestHeaders, problem::Problem},
    parameters,
    service::Service,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/changes";

/// Between two events at least.
const COALESCED: Duration = Duration::from_secs(1);
/// Between two signs of life: proxies close what is quiet for a minute.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// While the change feed is down answers may change at any time, unheard of.
const UNHEARD: Duration = Duration::from_secs(5);
/// A feed that was not proven complete for so long is down.
const FEED_LOST: Duration = Duration::from_secs(5);

/// When answers for the caller's organization may have changed
///
/// Server-sent events: `changed` with `{"at": "…"}`, one at the start, then at most one a second; nothing of what changed. A comment every 15
/// seconds. Ends when the session token expires. Ask again with `If-None-Match` at each event.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "changes",
    tag = "dashboard",
    params(RequestHeaders),
    security(("session" = [])),
    responses(
        (status = 200, description = "The events.", content((String = "text/event-stream"))),
    ),
)]
pub(crate) async fn changes(
    State(service): State<Arc<Service>>,
    caller: Caller,
    version: Version,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    parameters::read::<()>(query.as_deref())?;
    // Without chunks its end could not be told from a broken connection.
    if version < Version::HTTP_11 {
        return Err(Problem::http_version());
    }
    let place = service.watchers.enter(&caller).map_err(|full| {
        service.metrics.limited("changes");
        full.problem()
    })?;
    let ends = Instant::now() + expires_in(&caller);
    let events = async_stream::stream! {
        // Held until the client is gone.
        let _place = place;
        let (feed, org_id) = (Arc::clone(&service.feed), Arc::clone(caller.org_id()));
        let mut heard = feed.heard();
        let mut seen = feed.epoch(&org_id);
        yield Ok::<_, Infallible>(event());
        let (mut announced, mut life) = (Instant::now(), Instant::now());
        loop {
            let now = Instant::now();
            let is_lost = feed.age() > FEED_LOST;
            if feed.epoch(&org_id) != seen || (is_lost && now >= announced + UNHEARD) {
                seen = feed.epoch(&org_id);
                (announced, life) = (now, now);
                yield Ok::<_, Infallible>(event());
            } else if now >= life + SIGN_OF_LIFE {
                life = now;
                yield Ok(Bytes::from_static(b":\n\n"));
            }
            if now >= ends || service.is_draining() {
                break;
            }
            // Whatever is heard meanwhile is one event.
            sleep_until((announced + COALESCED).min(ends)).await;
            let wake = if is_lost { announced + UNHEARD } else { life + SIGN_OF_LIFE };
            tokio::select! {
                _ = heard.changed() => {}
                () = sleep_until(wake.min(ends)) => {}
                () = service.drained() => break,
            }
        }
    };
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx would collect events until there are enough of them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn event() -> Bytes {
    let at = DateTime::<Utc>::from_timestamp_millis(clock::unix_millis()).unwrap_or_default();
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    Bytes::from(format!("event: changed\ndata: {{\"at\": \"{at}\"}}\n\n"))
}

/// How long the caller's token is valid.
fn expires_in(caller: &Caller) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this age are exact in a double"
    )]
    let now = clock::unix_millis() as f64 / 1000.0;
    Duration::try_from_secs_f64(caller.expires() - now).unwrap_or_default()
}
