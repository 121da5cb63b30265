//! `GET /api/dashboard/getInteractions`: conversations, sub-conversations nested under their parent.

mod list;
mod unpaged;

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::{HeaderMap, Version};
use recap_store::Position;
use tokio::time::Instant;

use self::{list::List, unpaged::Unpaged};
use crate::{
    auth::Caller,
    cache::Question,
    fields::Interaction,
    http::{
        answer::Answer,
        headers::RequestHeaders,
        negotiation::{self, MediaType},
        problem::Problem,
    },
    parameters::{self, Binding, CanonicalQuery, Cursor, Exclude, FilterParameters, Integer, query_parameters},
    scope::Scope,
    service::Service,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/getInteractions";

query_parameters! {
    /// What the list takes beside the filter.
    pub(crate) struct ListParameters checked by Self::check_together {
        /// Keys to leave out of every conversation.
        "exclude" => exclude: Option<Exclude>,
        /// Top-level conversations of one page. Without it everything is returned, streamed.
        "limit" example 50 => limit: Option<Integer<1, 1000>>,
        /// Where the page begins: from the `Link` of the page before, with the same filters. Needs `limit`.
        "cursor" => cursor: Option<Cursor>,
        /// `true` begins CSV with U+FEFF, by which Excel knows that it is UTF-8.
        "bom" => bom: Option<bool>,
    }
}

impl ListParameters {
    fn byte_order_mark(&self) -> bool {
        self.bom == Some(true)
    }

    fn check_together(&self) -> Result<(), Problem> {
        if self.cursor.is_some() && self.limit.is_none() {
            let sentence = "cursor continues a paged answer: it needs limit beside it.";
            return Err(Problem::parameter("cursor", sentence));
        }
        Ok(())
    }
}

/// Conversations of the caller's organization
///
/// Those created in a time range that match every filter, with everything a dashboard shows of each and sub-conversations nested under
/// their parent; newest `updatedAt` first. `application/x-ndjson` and `text/csv` give flat rows instead. Any parameter that is not
/// listed here is refused.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "getInteractions",
    tag = "dashboard",
    params(FilterParameters, ListParameters, RequestHeaders),
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
                ("Link" = String, description = "The next page as `<?…>; rel=\"next\"`: a query for the path that was asked."),
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
    version: Version,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (filter, list) = parameters::read::<(FilterParameters, ListParameters)>(query.as_deref())?;
    let scope = Scope::new(&caller, filter)?;
    let media_type = negotiation::media_type(&headers, &MediaType::OF_LISTS).ok_or_else(|| {
        Problem::not_acceptable("Conversations come as application/json, application/x-ndjson or text/csv.")
    })?;
    let coding = negotiation::acceptable_coding(&headers)?;
    let exclude = list.exclude.unwrap_or_default();
    let Some(limit) = list.limit else {
        let unpaged = Unpaged {
            scope,
            exclude,
            media_type,
            coding,
            byte_order_mark: list.byte_order_mark(),
        };
        return unpaged.respond(service, version, &headers).await;
    };

    let question = Question::new(PATH, &list, media_type);
    let page = Page {
        scope,
        exclude,
        limit,
        media_type,
        byte_order_mark: list.byte_order_mark(),
    };
    let after = list
        .cursor
        .map(|cursor| cursor.position_in(&page.binding()))
        .transpose()?;
    let answer = service
        .cache
        .answer(&page.scope, &question, coding, || {
            page.compute(&service, after.as_ref())
        })
        .await;
    Ok(answer?.respond(&headers))
}

/// A page of the list: nested conversations as JSON, flat rows otherwise.
struct Page {
    scope: Scope,
    exclude: Exclude,
    limit: Integer<1, 1000>,
    media_type: MediaType,
    byte_order_mark: bool,
}

impl Page {
    fn binding(&self) -> Binding {
        let shape = if self.media_type == MediaType::Json {
            "nested"
        } else {
            "flat"
        };
        self.scope.binding(shape)
    }

    async fn compute(&self, service: &Service, after: Option<&Position>) -> Result<Answer, Problem> {
        let began = Instant::now();
        let mut list = List::new(self.media_type, self.exclude, self.byte_order_mark);
        let mut body = Vec::new();
        let read = async {
            let mut snapshot = service.pages.snapshot(self.scope.org_id()).await?;
            let next = list
                .read(&mut snapshot, &self.scope.filter(), after, self.limit.into(), &mut body)
                .await?;
            snapshot.finish().await?;
            Ok(next)
        };
        let next = read.await.map_err(|error| service.read_failed(&error))?;
        list.end(&mut body);
        service.metrics.answered(PATH, list.rows());
        let next = next.map(|position| self.link(position));
        Ok(Answer::new(body, self.media_type, next.as_deref(), began))
    }

    /// The page after `position`: a query alone, which is right under whatever path a proxy serves this.
    fn link(&self, position: Position) -> String {
        let next = ListParameters {
            exclude: Some(self.exclude).filter(|exclude| *exclude != Exclude::default()),
            limit: Some(self.limit),
            cursor: Some(Cursor::new(&self.binding(), position)),
            bom: self.byte_order_mark.then_some(true),
        };
        let filter = self.scope.canonical_query();
        format!("?{filter}&{}", CanonicalQuery::of(&next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_query_string_panics(query in ".*") {
            let _ = parameters::read::<(FilterParameters, ListParameters)>(Some(&query));
        }
    }
}
