//! The HTTP side of webhooks: one path, `POST` alone, and an answer that tells Clerk whether to send it again.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use recap_telemetry::{ClerkMetrics, WebhookOutcome};
use tokio::sync::Semaphore;

use crate::{
    bridge::{Bridge, BridgeError},
    signature::{NotSigned, SigningSecrets},
    webhook,
};

/// Where Clerk sends webhooks to.
pub(crate) const PATH: &str = "/webhooks/clerk";
/// A user with the largest metadata that Clerk takes is far smaller.
const MAX_BODY: usize = 1 << 20;
/// Svix gives an attempt up after 15 s.
const TIME_LIMIT: Duration = Duration::from_secs(12);
/// Webhooks being handled at one time.
const MAX_IN_PROGRESS: usize = 256;
const USUAL_RETRY: Duration = Duration::from_secs(5);

pub(crate) struct Receiver {
    pub bridge: Bridge,
    pub secrets: SigningSecrets,
    pub metrics: ClerkMetrics,
    in_progress: Semaphore,
}

/// Why a webhook is not answered with 2xx.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Malformed(String),
    #[error("the body is larger than {MAX_BODY} bytes, or broke off")]
    Body,
    #[error("{0}")]
    NotSigned(&'static str),
    #[error("{0}; send it again later")]
    Later(String, Duration),
}

impl From<NotSigned> for Refusal {
    fn from(error: NotSigned) -> Self {
        match error {
            NotSigned::Malformed(reason) => Self::Malformed(reason),
            NotSigned::Refused(reason) => Self::NotSigned(reason),
            NotSigned::NoSecret(error) => {
                tracing::error!(%error, "no webhook can be verified");
                Self::Later("the signing secrets cannot be read".to_owned(), USUAL_RETRY)
            }
        }
    }
}

impl From<BridgeError> for Refusal {
    fn from(error: BridgeError) -> Self {
        match error {
            BridgeError::NoTime(_) => Self::Malformed(error.to_string()),
            BridgeError::Kafka(failure) => Self::Later("Kafka does not take events".to_owned(), failure.again_after),
            BridgeError::Directory(error) => Self::Later(error.to_string(), USUAL_RETRY),
            BridgeError::Api(error) => {
                tracing::error!(%error, "a webhook cannot be handled without the Backend API");
                Self::Later("the Backend API is of no use".to_owned(), USUAL_RETRY)
            }
        }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Body => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotSigned(_) => StatusCode::UNAUTHORIZED,
            Self::Later(..) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn outcome(&self) -> WebhookOutcome {
        match self {
            Self::Malformed(_) | Self::Body => WebhookOutcome::Malformed,
            Self::NotSigned(_) => WebhookOutcome::NotSigned,
            Self::Later(..) => WebhookOutcome::Later,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = (self.status(), format!("{self}\n")).into_response();
        if let Self::Later(_, after) = self {
            let seconds = after.as_secs_f64().ceil().max(1.0);
            if let Ok(value) = HeaderValue::from_str(&format!("{seconds:.0}")) {
                answer.headers_mut().insert(RETRY_AFTER, value);
            }
        }
        answer
    }
}

impl Receiver {
    pub fn new(bridge: Bridge, secrets: SigningSecrets, metrics: ClerkMetrics) -> Self {
        Self {
            bridge,
            secrets,
            metrics,
            in_progress: Semaphore::new(MAX_IN_PROGRESS),
        }
    }

    async fn receive(&self, headers: &HeaderMap, body: Body, event_type: &mut &'static str) -> Result<bool, Refusal> {
        let Ok(_turn) = self.in_progress.try_acquire() else {
            return Err(Refusal::Later("too many webhooks at once".to_owned(), USUAL_RETRY));
        };
        let body = to_bytes(body, MAX_BODY).await.map_err(|_| Refusal::Body)?;
        let signed = self.secrets.verify(headers, &body)?;
        let received = webhook::read(&body, signed.sent_at).map_err(|error| Refusal::Malformed(error.to_string()))?;
        *event_type = received.event_type;
        let is_ignored = matches!(received.webhook, webhook::Webhook::Ignored);
        let events = self.bridge.handle(&signed.id, received.webhook).await?;
        tracing::debug!(svix_id = signed.id, event_type = *event_type, events, "webhook handled");
        Ok(is_ignored)
    }
}

/// The public routes.
pub(crate) fn routes(receiver: Arc<Receiver>) -> Router {
    Router::new().route(PATH, post(receive)).with_state(receiver)
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut event_type = "unknown";
    let handling = receiver.receive(&head.headers, body, &mut event_type);
    let handled = match tokio::time::timeout(TIME_LIMIT, handling).await {
        Ok(handled) => handled,
        Err(_) => Err(Refusal::Later(
            "Clerk's Backend API or Kafka has not answered in time".to_owned(),
            USUAL_RETRY,
        )),
    };
    match handled {
        Ok(is_ignored) => {
            let outcome = if is_ignored {
                WebhookOutcome::Ignored
            } else {
                WebhookOutcome::Handled
            };
            receiver.metrics.webhook(event_type, outcome);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => {
            receiver.metrics.webhook(event_type, refusal.outcome());
            tracing::warn!(
                event_type,
                status = refusal.status().as_u16(),
                "webhook not taken: {refusal}"
            );
            refusal.into_response()
        }
    }
}
