//! An OTLP receiver, gRPC and HTTP on one port, that keeps everything it is sent.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;
use recap_testing::{CertificateAuthority, TlsListener};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// Everything received so far.
#[derive(Clone, Default)]
pub struct Received {
    pub traces: Vec<ExportTraceServiceRequest>,
    pub metrics: Vec<ExportMetricsServiceRequest>,
    pub logs: Vec<ExportLogsServiceRequest>,
}

/// A span with the service it came from.
#[derive(Clone)]
pub struct ServiceSpan {
    pub service: String,
    pub span: Span,
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Received>>);

impl Store {
    fn with<T>(&self, use_it: impl FnOnce(&mut Received) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A receiver on a free port of 127.0.0.1, for as long as the runtime lives.
pub struct Receiver {
    endpoint: String,
    store: Store,
}

impl Receiver {
    pub async fn start() -> anyhow::Result<Self> {
        let (store, router) = Self::routes();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { endpoint, store })
    }

    /// The same over TLS, for clients with a certificate of that authority.
    pub async fn start_with_tls(authority: &CertificateAuthority) -> anyhow::Result<Self> {
        let (store, router) = Self::routes();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("https://{}", listener.local_addr()?);
        let listener = TlsListener::mutual(listener, authority)?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { endpoint, store })
    }

    fn routes() -> (Store, Router) {
        let store = Store::default();
        let http = Router::new()
            .route("/v1/traces", post(http_traces))
            .route("/v1/metrics", post(http_metrics))
            .route("/v1/logs", post(http_logs))
            .with_state(store.clone());
        let grpc = tonic::service::Routes::new(TraceServiceServer::new(store.clone()))
            .add_service(MetricsServiceServer::new(store.clone()))
            .add_service(LogsServiceServer::new(store.clone()))
            .into_axum_router()
            .reset_fallback();
        (store, http.merge(grpc))
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn received(&self) -> Received {
        self.store.with(|received| received.clone())
    }

    /// Polls until `found` gives something, for at most `limit`.
    pub async fn wait_for<T>(&self, limit: Duration, found: impl Fn(&Received) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(it) = found(&self.received()) {
                return Some(it);
            }
            if Instant::now() > deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Received {
    pub fn spans(&self) -> Vec<ServiceSpan> {
        let resources = self.traces.iter().flat_map(|request| &request.resource_spans);
        resources
            .flat_map(|resource| {
                let service =
                    attribute(resource_attributes(resource.resource.as_ref()), "service.name").unwrap_or_default();
                let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
                spans
                    .map(move |span| ServiceSpan {
                        service: service.clone(),
                        span: span.clone(),
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    pub fn metric_names(&self) -> Vec<String> {
        let resources = self.metrics.iter().flat_map(|request| &request.resource_metrics);
        let scopes = resources.flat_map(|resource| &resource.scope_metrics);
        scopes
            .flat_map(|scope| &scope.metrics)
            .map(|metric| metric.name.clone())
            .collect()
    }

    /// Body, trace id and attributes of every log record.
    pub fn log_records(&self) -> Vec<(String, Vec<u8>, Vec<KeyValue>)> {
        let resources = self.logs.iter().flat_map(|request| &request.resource_logs);
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        scopes
            .flat_map(|scope| &scope.log_records)
            .map(|record| {
                (
                    text(record.body.as_ref()),
                    record.trace_id.clone(),
                    record.attributes.clone(),
                )
            })
            .collect()
    }

    /// Whether `secret` occurs anywhere in anything received.
    pub fn mentions(&self, secret: &str) -> bool {
        let holds = |bytes: Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        self.traces.iter().any(|request| holds(request.encode_to_vec()))
            || self.metrics.iter().any(|request| holds(request.encode_to_vec()))
            || self.logs.iter().any(|request| holds(request.encode_to_vec()))
    }
}

pub fn resource_attributes(resource: Option<&Resource>) -> &[KeyValue] {
    resource.map_or(&[], |resource| &resource.attributes)
}

pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    attributes
        .iter()
        .find(|attribute| attribute.key == key)
        .map(|attribute| text(attribute.value.as_ref()))
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

async fn http_traces(State(store): State<Store>, body: Bytes) -> Result<Bytes, StatusCode> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    store.with(|received| received.traces.push(request));
    Ok(ExportTraceServiceResponse::default().encode_to_vec().into())
}

async fn http_metrics(State(store): State<Store>, body: Bytes) -> Result<Bytes, StatusCode> {
    let request = ExportMetricsServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    store.with(|received| received.metrics.push(request));
    Ok(ExportMetricsServiceResponse::default().encode_to_vec().into())
}

async fn http_logs(State(store): State<Store>, body: Bytes) -> Result<Bytes, StatusCode> {
    let request = ExportLogsServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    store.with(|received| received.logs.push(request));
    Ok(ExportLogsServiceResponse::default().encode_to_vec().into())
}

#[tonic::async_trait]
impl TraceService for Store {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.with(|received| received.traces.push(request.into_inner()));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Store {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.with(|received| received.metrics.push(request.into_inner()));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Store {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.with(|received| received.logs.push(request.into_inner()));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
