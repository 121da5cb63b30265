//! A registry that asks for credentials, has a certificate of its own, is away, limits or does not know: made after Confluent's documented API, since no registry that
//! starts here can be told to do all of it. What a real one answers is tested with Apicurio Registry by the projector and by `recap`.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use recap_mapping::Schemas;
use recap_schema_registry::{Credentials, RegistryAddress, SchemaRegistry};
use recap_service::secret::Secret;
use recap_testing::{CertificateAuthority, LIMIT, TlsListener, eventually};
use tokio::net::TcpListener;

const SCHEMA: &str = r#"{"schema": "\"string\""}"#;
const UNKNOWN: &str = r#"{"error_code": 40403, "message": "Schema not found"}"#;

/// Answers in this order, and with the last one for ever.
#[derive(Default)]
struct StandIn {
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    asked: Mutex<Vec<(String, HeaderMap)>>,
}

impl StandIn {
    fn that_answers(answers: &[(u16, &'static str)]) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().copied().collect());
        Arc::new(Self {
            answers,
            ..Self::default()
        })
    }

    fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(self))
    }

    async fn start(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = self.router();
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }

    async fn start_with_tls(self: &Arc<Self>, authority: &CertificateAuthority) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (listener, router) = (TlsListener::new(listener, authority).unwrap(), self.router());
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }

    fn asked(&self) -> Vec<(String, HeaderMap)> {
        self.asked.lock().unwrap().clone()
    }

    fn credentials(&self) -> Vec<String> {
        let text = |(_, headers): (String, HeaderMap)| {
            let value = headers.get(header::AUTHORIZATION);
            value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
        };
        self.asked().into_iter().map(text).collect()
    }
}

async fn answer(State(stand_in): State<Arc<StandIn>>, uri: Uri, headers: HeaderMap) -> Response {
    stand_in.asked.lock().unwrap().push((uri.to_string(), headers));
    let mut answers = stand_in.answers.lock().unwrap();
    let (status, body) = if answers.len() > 1 {
        answers.pop_front().unwrap()
    } else {
        answers[0]
    };
    let status = StatusCode::from_u16(status).unwrap();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return (status, [(header::RETRY_AFTER, "1")], body).into_response();
    }
    (status, body).into_response()
}

fn registry(url: &str, credentials: Credentials, certificates: Option<&str>) -> SchemaRegistry {
    let certificates = certificates.map(|pem| pem.as_bytes().to_vec());
    SchemaRegistry::at(RegistryAddress {
        url: url.to_owned(),
        credentials,
        certificates,
    })
    .unwrap()
}

const FOUND: &str = "Schemas({7: Found(Schema(Avro))})";

/// What is known of schema 7.
fn text(schemas: &Schemas) -> String {
    format!("{schemas:?}")
}

/// Asks for schema 7, in vain: why.
async fn waits(registry: &SchemaRegistry, why: &str) {
    let asking = tokio::spawn({
        let registry = registry.clone();
        async move { registry.schemas([7]).await }
    });
    let trouble = async || registry.trouble().unwrap_or_default();
    eventually("trouble", LIMIT, trouble, |trouble| trouble.contains(why)).await;
    assert!(!asking.is_finished());
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert_eq!(registry.trouble(), None, "nobody waits any more");
}

#[tokio::test]
async fn its_certificate_is_checked_against_the_authority_that_is_given() {
    let authority = CertificateAuthority::generate().unwrap();
    let stand_in = StandIn::that_answers(&[(200, SCHEMA)]);
    let url = stand_in.start_with_tls(&authority).await;
    let found = registry(&url, Credentials::None, Some(&authority.certificate))
        .schemas([7])
        .await;
    assert_eq!(text(&found), FOUND);
    // Of the system's authorities it is none.
    waits(&registry(&url, Credentials::None, None), "certificate").await;
    let other = CertificateAuthority::generate().unwrap();
    waits(
        &registry(&url, Credentials::None, Some(&other.certificate)),
        "certificate",
    )
    .await;
    assert_eq!(
        stand_in.asked().len(),
        1,
        "nothing is asked of a server that may be anybody"
    );
}

#[tokio::test]
async fn credentials_are_sent_and_a_file_is_read_each_time() {
    let stand_in = StandIn::that_answers(&[(200, SCHEMA)]);
    let url = stand_in.start().await;
    let password = Secret::Given("pass: word".into());
    let basic = registry(&url, Credentials::Basic("recap".to_owned(), password), None);
    basic.schemas([7]).await;
    assert_eq!(stand_in.credentials(), ["Basic cmVjYXA6cGFzczogd29yZA=="]);

    let refusing = StandIn::that_answers(&[(401, ""), (403, ""), (401, "")]);
    let url = refusing.start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old\n").unwrap();
    let bearer = registry(&url, Credentials::Bearer(Secret::File(file.path().to_owned())), None);
    waits(
        &bearer,
        "refuses with 401 Unauthorized: are its user and password, or its token, right?",
    )
    .await;
    std::fs::write(file.path(), "new\n").unwrap();
    refusing.answers.lock().unwrap().push_back((200, SCHEMA));
    assert_eq!(text(&bearer.schemas([7]).await), FOUND);
    let sent = refusing.credentials();
    assert_eq!(
        (sent.first().unwrap().as_str(), sent.last().unwrap().as_str()),
        ("Bearer old", "Bearer new")
    );
    assert_eq!(bearer.trouble(), None);
}

#[tokio::test]
async fn one_that_limits_is_given_its_pause_and_one_that_fails_is_asked_again() {
    let stand_in = StandIn::that_answers(&[(429, ""), (500, ""), (503, "busy"), (502, "<html>"), (200, SCHEMA)]);
    let url = stand_in.start().await;
    let registry = registry(&url, Credentials::None, None);
    let started = Instant::now();
    assert_eq!(text(&registry.schemas([7]).await), FOUND);
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After is 1");
    assert_eq!(stand_in.asked().len(), 5);
    // It is known, and nobody is asked again.
    registry.schemas([7]).await;
    assert_eq!(stand_in.asked().len(), 5);
}

#[tokio::test]
async fn what_is_no_registry_is_waited_for_with_the_setting_named() {
    for (status, body, why) in [
        (
            404,
            "no such page",
            "answers 404 without one of its own codes; does RECAP_SCHEMA_REGISTRY_URL lead",
        ),
        (200, "<html>", "answers what is no schema"),
        (302, "", "answers 302 Found"),
    ] {
        let url = StandIn::that_answers(&[(status, body)]).start().await;
        waits(&registry(&url, Credentials::None, None), why).await;
    }
}

#[tokio::test]
async fn what_it_does_not_have_is_asked_for_again_the_next_time() {
    let stand_in = StandIn::that_answers(&[(404, UNKNOWN), (200, SCHEMA)]);
    let url = stand_in.start().await;
    let registry = registry(&url, Credentials::None, None);
    assert_eq!(
        text(&registry.schemas([7]).await),
        r#"Schemas({7: Unusable("is not in the registry")})"#
    );
    assert_eq!(text(&registry.schemas([7]).await), FOUND);
}

#[tokio::test]
async fn what_a_schema_refers_to_is_fetched_and_named_when_it_is_gone() {
    let referring =
        r#"{"schema": "\"string\"", "references": [{"name": "a.B", "subject": "a/b value", "version": 3}]}"#;
    let stand_in = StandIn::that_answers(&[(200, referring), (404, UNKNOWN)]);
    let url = stand_in.start().await;
    let registry = registry(&url, Credentials::None, None);
    let said = text(&registry.schemas([7]).await);
    assert!(
        said.contains("refers to version 3 of a/b value, which is not in the registry"),
        "{said}"
    );
    let paths: Vec<String> = stand_in.asked().into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        ["/schemas/ids/7", "/subjects/a%2Fb%20value/versions/3?deleted=true"]
    );
}

#[tokio::test]
async fn more_than_is_read_of_an_answer_is_no_schema() {
    let long: &'static str = Box::leak(format!(r#"{{"schema": "{}"}}"#, " ".repeat(9 << 20)).into_boxed_str());
    let url = StandIn::that_answers(&[(200, long)]).start().await;
    let said = text(&registry(&url, Credentials::None, None).schemas([7]).await);
    assert!(said.contains("it is larger"), "{said}");
}
