//! `GET /api/dashboard/getTimeSeries`: figures over time.

mod buckets;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use http::HeaderMap;
use recap_store::{Breakdown, Figures, Group, GroupBy, Groups, Memory as _, Snapshot};
use tokio::time::Instant;
use utoipa::openapi::{ObjectBuilder, path::ParameterBuilder, schema::Type};

use self::buckets::{Interval, MOST, NoBuckets, boundaries};
use super::kept::{Request, held, read};
use crate::{
    auth::Caller,
    cache::{Question, Unanswered},
    fields::{TimeSeriesElement, json_bucket},
    http::{
        answer::Answer, headers::RequestHeaders, memory::AnswerInProgress, negotiation::MediaType, problem::Problem,
    },
    parameters::{self, Choice, FilterParameters, OneOf, Value, query_parameters},
    scope::Scope,
    service::Service,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/getTimeSeries";

/// Groups that have elements of their own.
const GROUPS: u16 = 50;
/// About what an element takes.
const ELEMENT_BYTES: usize = 512;

query_parameters! {
    /// What the time series takes beside the filter.
    pub(crate) struct SeriesParameters {
        /// How long a bucket is: an hour of 3,600 seconds, a calendar day, a week from Monday, a calendar month.
        "interval" => interval: OneOf<Interval>,
        /// The zone whose days, weeks and months they are, by its IANA name; `UTC` where it is not given.
        "timeZone" example "Europe/Berlin" => time_zone: Option<Tz>,
        /// Gives every bucket an element for each group of conversations: the 50 with most of them, then one for the rest.
        "groupBy" => group_by: Option<OneOf<SeriesGroup>>,
    }
}

impl Choice for Interval {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Hour, "hour"),
        (Self::Day, "day"),
        (Self::Week, "week"),
        (Self::Month, "month"),
    ];
}

/// What a time series can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SeriesGroup(GroupBy);

impl Choice for SeriesGroup {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self(GroupBy::AgentId), "agentId"),
        (Self(GroupBy::AgentModel), "agentModel"),
        (Self(GroupBy::UserId), "userId"),
    ];
}

impl Value for Tz {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "is no time zone of the IANA database, as UTC or Europe/Berlin".to_owned())
    }

    fn canonical(&self) -> Cow<'_, str> {
        self.name().into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+){0,2}$"));
        parameter.schema(Some(schema))
    }
}

/// Figures of conversations over time
///
/// From the bucket of `from` to that of `to` in the order of time, empty ones included, over exactly the conversations that `getInteractions`
/// returns for the same filters. A conversation is in the bucket of the time that `rangeOn` names. At most 1,000 buckets.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "getTimeSeries",
    tag = "dashboard",
    params(FilterParameters, SeriesParameters, RequestHeaders),
    security(("session" = [])),
    responses(
        (status = 200, description = "The figures.", body = Vec<TimeSeriesElement>,
            headers(("ETag" = String, description = "Weak.")),
        ),
        (status = 304, description = "The client has this answer: `If-None-Match` names its `ETag`.",
            headers(("ETag" = String, description = "As the client's.")),
        ),
    ),
)]
pub(crate) async fn get_time_series(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (filter, mut own) = parameters::read::<(FilterParameters, SeriesParameters)>(query.as_deref())?;
    let zone = own.time_zone.unwrap_or(Tz::UTC);
    let (from, to) = (filter.from.into(), filter.to.into());
    let boundaries = boundaries(from, to, own.interval.0, zone).map_err(|none| match none {
        NoBuckets::TooMany => {
            let sentence = format!("interval is too short for this range: there are more than {MOST} buckets.");
            Problem::parameter("interval", sentence)
        }
        NoBuckets::OutOfYears => Problem::parameter("to", "to is in a bucket that ends after the year 9999."),
    })?;
    let scope = Scope::new(&caller, filter)?;
    let request = Request::new(&service, &caller, &headers)?;
    // One spelling for what means the same.
    own.time_zone = Some(zone).filter(|zone| *zone != Tz::UTC);
    let question = Question::new(PATH, &own, MediaType::Json);
    let series = Arc::new(Series {
        scope: scope.clone(),
        boundaries,
        groups: own.group_by.map(|group_by| Groups {
            by: group_by.0.0,
            most: GROUPS,
        }),
    });
    let compute = move |service, caller| Arc::clone(&series).compute(service, caller);
    held(request.answer(&scope, &question, compute).await)
}

/// What is asked for.
struct Series {
    scope: Scope,
    /// The starts of the buckets, and the end of the last.
    boundaries: Vec<DateTime<Utc>>,
    groups: Option<Groups>,
}

impl Series {
    async fn compute(self: Arc<Self>, service: Arc<Service>, caller: Caller) -> Result<Answer, Unanswered> {
        let began = Instant::now();
        let (filter, groups) = (&self.scope.filter(), self.groups);
        let starts = self.boundaries.split_last().map_or(&[][..], |(_, starts)| starts);
        let read_figures = |mut snapshot: Snapshot| async move {
            let found = snapshot.breakdown(filter, starts, groups).await?;
            Ok((found, snapshot))
        };
        let found = read(&service, &caller, &self.scope, read_figures).await?;
        let reservation = Arc::new(service.memory.empty(&caller));
        let mut memory = AnswerInProgress::new(Arc::clone(&reservation), service.page_bytes);
        if !memory.take(starts.len() * found.groups.len().max(1) * ELEMENT_BYTES) {
            return Err(Unanswered::TooLarge);
        }
        let body = self.write(found);
        Ok(Answer::new(body, MediaType::Json, None, began))
    }

    /// Every bucket, those without conversations included.
    fn write(&self, found: Breakdown) -> Vec<u8> {
        let figures: HashMap<(usize, usize), Figures> = found
            .buckets
            .into_iter()
            .map(|bucket| ((bucket.index, bucket.group), bucket.figures))
            .collect();
        let groups = if self.groups.is_none() {
            vec![Group::All]
        } else {
            found.groups
        };
        let mut body = vec![b'['];
        for (bucket, times) in self.boundaries.windows(2).enumerate() {
            for (number, group) in groups.iter().enumerate() {
                if body.len() > 1 {
                    body.push(b',');
                }
                let figures = figures.get(&(bucket, number)).copied().unwrap_or_default();
                json_bucket(&mut body, (times[0], times[1]), group, &figures);
            }
        }
        body.push(b']');
        body
    }
}
