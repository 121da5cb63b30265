//! Counts a connection's requests, to the last byte of their answers.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tower::Service;

use super::connections::{Connection, RequestGuard};

/// A router, for one connection.
#[derive(Clone)]
pub(super) struct CountedRequests {
    router: Router,
    connection: Arc<Connection>,
}

impl CountedRequests {
    pub(super) fn new(router: Router, connection: Arc<Connection>) -> Self {
        Self { router, connection }
    }
}

impl<B> Service<http::Request<B>> for CountedRequests
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let guard = self.connection.request();
        let request: Request = request.map(Body::new);
        let answer = self.router.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|body| Body::new(CountedBody { body, _guard: guard })))
        })
    }
}

struct CountedBody {
    body: Body,
    _guard: RequestGuard,
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
