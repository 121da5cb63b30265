//! `/openapi.json`: the description of exactly this API, put together from the handlers' annotations.

use std::sync::LazyLock;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, Header, Ref, Response, ResponseBuilder,
        header::HeaderBuilder,
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{
    endpoints::{
        changes, get_breakdown, get_interaction, get_interactions,
        get_stats::{self, Statistics},
        get_time_series,
    },
    fields::{BreakdownElement, Feedback, FlatInteraction, Interaction, TimeSeriesElement, ToolCall},
    http::{problem::ProblemDetails, problem_code::ProblemCode},
    parameters::Excluded,
};

/// Where it is.
pub(crate) const PATH: &str = "/openapi.json";

/// The document, rendered once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // Derived types and literals always serialize.
    let document = Description::openapi().to_pretty_json().unwrap_or_default();
    // As text: a JSON value would have its keys in the order of the alphabet.
    EXAMPLES.iter().fold(document, |document, (path, example)| {
        document.replace(&format!("\"{path} example\""), example.trim_end())
    })
});

#[derive(OpenApi)]
#[openapi(
    info(
        title = "recap",
        description = "Conversations of an AI-agent platform, ready to read: one row per conversation, kept up to date from events. \
            The organization comes from the session token and from nothing else.",
    ),
    paths(
        get_interactions::get_interactions,
        get_interaction::get_interaction,
        get_stats::get_stats,
        get_time_series::get_time_series,
        get_breakdown::get_breakdown,
        changes::changes,
    ),
    components(schemas(Interaction, FlatInteraction, ToolCall, Feedback, Statistics, TimeSeriesElement, BreakdownElement, ProblemDetails, ProblemCode, Excluded)),
    // Relative to this document: right behind a proxy that adds a prefix, too.
    servers((url = ".", description = "Where this document lies.")),
    tags(
        (name = "dashboard", description = "What dashboards and exports read."),
    ),
    modifiers(&Security, &Refusals, &Examples),
)]
struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A Clerk session token of the configured instance, RS256."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", SecurityScheme::Http(scheme));
    }
}

/// What every endpoint of the dashboards may refuse with, and the headers on every answer.
struct Refusals;

/// A status, its usual code, what it means, and the header that comes with it.
type Refusal = (
    &'static str,
    ProblemCode,
    &'static str,
    Option<(&'static str, &'static str)>,
);

const REFUSALS: [Refusal; 12] = [
    (
        "400",
        ProblemCode::BadParameter,
        "A parameter is missing, unknown, repeated, empty, unreadable or contradictory; it is named.",
        None,
    ),
    (
        "401",
        ProblemCode::InvalidToken,
        "The session token is missing, malformed, expired, wrongly signed or not accepted.",
        Some(("WWW-Authenticate", "Bearer")),
    ),
    (
        "403",
        ProblemCode::AdminOnly,
        "The token has no organization, or the role is not enough for what is asked.",
        None,
    ),
    (
        "405",
        ProblemCode::MethodNotAllowed,
        "Only GET and HEAD are answered.",
        Some(("Allow", "GET,HEAD")),
    ),
    (
        "406",
        ProblemCode::NotAcceptable,
        "None of the accepted media types or codings is available.",
        None,
    ),
    (
        "413",
        ProblemCode::BodyTooLarge,
        "The request announces a large body; none is read.",
        None,
    ),
    (
        "414",
        ProblemCode::TargetTooLong,
        "The path and query are longer than 16 KiB.",
        None,
    ),
    (
        "429",
        ProblemCode::RateLimited,
        "This user makes too many requests.",
        Some(("Retry-After", "1")),
    ),
    (
        "431",
        ProblemCode::HeadersTooLarge,
        "The headers are larger than 32 KiB. Beyond 128 KiB or 100 headers the answer has no body and ends the connection.",
        None,
    ),
    (
        "500",
        ProblemCode::Internal,
        "The service failed; the cause is in its log under the request id.",
        None,
    ),
    (
        "503",
        ProblemCode::Unavailable,
        "The service cannot answer now; try again.",
        Some(("Retry-After", "1")),
    ),
    (
        "505",
        ProblemCode::HttpVersion,
        "The answer is streamed and the request is HTTP/1.0, which could not tell a cut-off answer from a whole one.",
        None,
    ),
];

/// Of what has an id.
const NOT_FOUND: Refusal = (
    "404",
    ProblemCode::NotFound,
    "There is no such conversation, or not for this caller.",
    None,
);

impl Modify for Refusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let Some(operation) = item.get.as_mut().filter(|_| path.starts_with("/api/")) else {
                continue;
            };
            let responses = &mut operation.responses.responses;
            let not_found = (path == get_interaction::PATH).then_some(NOT_FOUND);
            for (status, code, description, extra) in REFUSALS.into_iter().chain(not_found) {
                responses.insert(status.to_owned(), refusal(status, code, description, extra).into());
            }
            for response in responses.values_mut() {
                if let utoipa::openapi::RefOr::T(response) = response {
                    let request_id = header(
                        "The request's id: the client's own, or a new one.",
                        "01928f3a-0000-7000-8000-000000000001",
                    );
                    response.headers.insert("X-Request-Id".to_owned(), request_id.into());
                }
            }
        }
    }
}

/// Whole answers to look at.
struct Examples;

const EXAMPLES: [(&str, &str); 2] = [
    (get_interactions::PATH, include_str!("openapi/interactions.json")),
    (get_stats::PATH, include_str!("openapi/statistics.json")),
];

impl Modify for Examples {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, _) in EXAMPLES {
            let operation = document.paths.paths.get_mut(path).and_then(|item| item.get.as_mut());
            let response = operation.and_then(|operation| operation.responses.responses.get_mut("200"));
            if let Some(utoipa::openapi::RefOr::T(response)) = response
                && let Some(utoipa::openapi::RefOr::T(content)) = response.content.get_mut("application/json")
            {
                content.example = Some(format!("{path} example").into());
            }
        }
    }
}

fn refusal(status: &str, code: ProblemCode, description: &str, extra: Option<(&str, &str)>) -> Response {
    let example = serde_json::json!({
        "type": "about:blank",
        "title": status.parse().ok().and_then(|status| http::StatusCode::from_u16(status).ok()?.canonical_reason()),
        "status": status.parse::<u16>().unwrap_or_default(),
        "code": code,
        "detail": description,
        "error": description,
        "requestId": "01928f3a-0000-7000-8000-000000000001",
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ProblemDetails")))
        .example(Some(example))
        .build();
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content);
    if let Some((name, example)) = extra {
        response = response.header(name, header("", example));
    }
    response.build()
}

fn header(description: &str, example: &str) -> Header {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .examples([example])
        .build();
    let header = HeaderBuilder::new().schema(Some(schema));
    let description = (!description.is_empty()).then(|| description.to_owned());
    header.description(description).build()
}

pub(crate) async fn document() -> ([(http::HeaderName, &'static str); 2], &'static str) {
    (
        [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=300"),
        ],
        DOCUMENT.as_str(),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_description_is_the_reviewed_one() {
        let document: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
        insta::assert_json_snapshot!(document);
    }

    #[test]
    fn every_answer_has_its_example() {
        let document: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
        for (path, _) in EXAMPLES {
            let example = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"];
            assert!(example.is_array() || example.is_object(), "{path}: {example}");
        }
        // In the contract's order of keys.
        assert!(DOCUMENT.find("\"feedbackData\": [") < DOCUMENT.find("\"subConversations\": ["));
        let keys = ["\"id\": \"7b0c1f52", "\"agentId\": 12", "\"createdAt\": \"2024"];
        let places: Vec<_> = keys.iter().map(|key| DOCUMENT.find(key).unwrap()).collect();
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn every_described_path_is_a_route() {
        let described: Vec<String> = Description::openapi().paths.paths.into_keys().collect();
        let routes = [
            changes::PATH,
            get_breakdown::PATH,
            get_interaction::PATH,
            get_interactions::PATH,
            get_stats::PATH,
            get_time_series::PATH,
        ];
        assert_eq!(described, routes);
    }
}
