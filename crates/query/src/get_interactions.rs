//! `GET /api/dashboard/getInteractions`

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use recap_store::{Include, Position};
use tokio::time::Instant;

use crate::{
    answer::Answer,
    auth::Caller,
    cache::Question,
    cursor::{self, Fingerprint},
    list::List,
    negotiation::{self, MediaType},
    openapi::{FilterParameters, Interaction, PageParameters, RequestHeaders},
    parameters::{Exclude, InteractionsQuery},
    problem::Problem,
    scope::Scope,
    service::Service,
    stream,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/getInteractions";

/// Conversations of the caller's organization
///
/// Those created in a time range that match every filter, with everything a dashboard shows of each and sub-conversations nested under
/// their parent; newest `updatedAt` first. `application/x-ndjson` and `text/csv` give flat rows instead. Any parameter that is not
/// listed here is refused.
#[utoipa::path(
    get,
    path = "/api/dashboard/getInteractions",
    operation_id = "getInteractions",
    tag = "dashboard",
    params(FilterParameters, PageParameters, RequestHeaders),
    security(("session" = [])),
    responses(
        (status = 200, description = "The conversations.",
            content(
                (Vec<Interaction> = "application/json"),
                (String = "application/x-ndjson"),
                (String = "text/csv"),
            ),
            headers(
                ("ETag" = String, description = "Weak; on answers that are not streamed."),
                ("Link" = String, description = "The next page, relative, as `rel=\"next\"`."),
                ("Content-Encoding" = String, description = "zstd, br or gzip, as accepted."),
            ),
        ),
        (status = 304, description = "The client has this answer: `If-None-Match` names its `ETag`.",
            headers(("ETag" = String, description = "As the client's.")),
        ),
    ),
)]
pub(crate) async fn get_interactions(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = InteractionsQuery::parse(query.as_deref())?;
    let scope_of_caller = Scope::new(&caller, query.filters);
    let media_type = negotiation::media_type(&headers, &MediaType::OF_LISTS).ok_or_else(|| {
        Problem::not_acceptable("Conversations come as application/json, application/x-ndjson or text/csv.")
    });
    // A bad cursor is a bad request whoever asks: it is told before the refusal by scope.
    let cursor = query.cursor.as_deref().map(cursor::decode).transpose()?;
    let scope = scope_of_caller?;
    let (media_type, coding) = (media_type?, negotiation::acceptable_coding(&headers)?);
    let Some(limit) = query.limit else {
        return stream::respond(service, scope, query.exclude, media_type, coding, &headers).await;
    };

    let page = PageOf {
        scope,
        exclude: query.exclude,
        limit,
        media_type,
    };
    let after = cursor.map(|cursor| cursor.of(&page.fingerprint())).transpose()?;
    let question = Question::Page {
        exclude: page.exclude,
        limit,
        cursor: query.cursor,
        media_type,
    };
    let answer = service
        .cache
        .answer(&page.scope, &question, coding, || {
            page.compute(&service, after.as_ref())
        })
        .await;
    Ok(answer?.respond(&headers))
}

/// A page of the list: nested conversations as JSON, flat rows otherwise.
struct PageOf {
    scope: Scope,
    exclude: Exclude,
    limit: u32,
    media_type: MediaType,
}

impl PageOf {
    fn fingerprint(&self) -> Fingerprint {
        let shape = if self.media_type == MediaType::Json {
            "nested"
        } else {
            "flat"
        };
        Fingerprint::of(shape, &self.scope.canonical_query())
    }

    async fn compute(&self, service: &Service, after: Option<&Position>) -> Result<Answer, Problem> {
        let began = Instant::now();
        let mut list = List::new(self.media_type, self.exclude);
        let mut body = Vec::new();
        let read = async {
            let mut snapshot = service.pages.snapshot(self.scope.org_id()).await?;
            let next = list
                .read(&mut snapshot, &self.scope.filter(), after, self.limit, &mut body)
                .await?;
            snapshot.finish().await?;
            Ok(next)
        };
        let next = read.await.map_err(|error| service.read_failed(&error))?;
        list.end(&mut body);
        service.metrics.answered(PATH, list.rows());
        let next = next.map(|position| self.link(&position));
        Ok(Answer::new(body, self.media_type, next.as_deref(), began))
    }

    fn link(&self, position: &Position) -> String {
        let mut link = format!("{PATH}?{}&limit={}", self.scope.canonical_query(), self.limit);
        let excluded = [
            (self.exclude.tool_calls, "toolCalls"),
            (self.exclude.feedback_data, "feedbackData"),
            (self.exclude.first_message_text, "firstMessageText"),
        ];
        let excluded: Vec<&str> = excluded
            .into_iter()
            .filter_map(|(excluded, key)| excluded.then_some(key))
            .collect();
        if !excluded.is_empty() {
            link.push_str("&exclude=");
            link.push_str(&excluded.join(","));
        }
        link.push_str("&cursor=");
        link.push_str(&cursor::write(&self.fingerprint(), position));
        link
    }
}

impl From<Exclude> for Include {
    fn from(exclude: Exclude) -> Self {
        Self {
            tool_calls: !exclude.tool_calls,
            feedback: !exclude.feedback_data,
            first_message_text: !exclude.first_message_text,
        }
    }
}
