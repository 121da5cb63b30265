//! `GET /api/dashboard/getInteractions`: conversations, sub-conversations nested under their parent.

mod page;
mod unpaged;

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::{HeaderMap, Version};
use recap_store::Sort;

use self::{page::Page, unpaged::Unpaged};
use crate::{
    auth::Caller,
    cache::{Question, Unanswered},
    fields::{FlatLines, FlatTable, Interaction},
    http::{
        headers::RequestHeaders,
        negotiation::{self, MediaType},
        problem::Problem,
    },
    parameters::{self, Cursor, Exclude, FilterParameters, Integer, OneOf, query_parameters},
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
        /// What the list is in the order of, greatest first and `id` ascending for equal ones; `updatedAt` where it is not given.
        "sort" => sort: Option<OneOf<Sort>>,
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

    fn sort(&self) -> Sort {
        self.sort.map_or_else(Sort::default, |sort| sort.0)
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
/// their parent; newest `updatedAt` first, or as `sort` says. `application/x-ndjson` and `text/csv` give flat rows instead. Any parameter that is not
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
                (FlatLines = "application/x-ndjson"),
                (FlatTable = "text/csv"),
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
    let (filter, mut list) = parameters::read::<(FilterParameters, ListParameters)>(query.as_deref())?;
    // One spelling for what means the same.
    list.sort = list.sort.filter(|sort| sort.0 != Sort::default());
    let scope = Scope::new(&caller, filter)?;
    let media_type = negotiation::media_type(&headers, &MediaType::OF_LISTS).ok_or_else(|| {
        Problem::not_acceptable("Conversations come as application/json, application/x-ndjson or text/csv.")
    })?;
    let coding = negotiation::acceptable_coding(&headers)?;
    let exclude = list.exclude.unwrap_or_default();
    let byte_order_mark = list.byte_order_mark();
    let sort = list.sort();
    let Some(limit) = list.limit else {
        let unpaged = Unpaged {
            scope,
            exclude,
            sort,
            media_type,
            coding,
            byte_order_mark,
        };
        return unpaged.respond(service, &caller, version, &headers).await;
    };

    let question = Question::new(PATH, &list, media_type);
    let mut page = Page {
        scope,
        exclude,
        sort,
        limit,
        after: None,
        media_type,
        byte_order_mark,
    };
    page.after = list
        .cursor
        .map(|cursor| cursor.position_in(&page.binding()))
        .transpose()?;
    let page = Arc::new(page);
    let compute = {
        let (page, service, caller) = (Arc::clone(&page), Arc::clone(&service), caller.clone());
        move || {
            let (page, service, caller) = (Arc::clone(&page), Arc::clone(&service), caller.clone());
            async move { page.compute(&service, &caller).await }
        }
    };
    match service.cache.answer(&page.scope, &question, coding, compute).await {
        Ok(answer) => answer.respond(&headers, &caller, &service.memory).await,
        Err(Unanswered::Refused(problem)) => Err(problem),
        Err(Unanswered::TooLarge) => page.stream(service, &caller, version, coding).await,
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
