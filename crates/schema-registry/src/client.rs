//! The registry's HTTP API: one schema with those that it refers to, or why not.

use std::{collections::HashSet, time::Duration};

use http::{StatusCode, header::RETRY_AFTER};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use recap_mapping::{ReferencedText, SchemaText, SchemaType};
use recap_service::secret::Secret;
use reqwest::{Certificate, Client, RequestBuilder, redirect};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, de::DeserializeOwned};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Bytes of one answer.
const ANSWER_MAX: usize = 8 << 20;
/// Schemas that one refers to, directly or not.
const REFERENCES_MAX: usize = 500;

/// What the registry wants to see.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A user and a password.
    Basic(String, Secret),
    /// A token.
    Bearer(Secret),
}

/// Where a registry is, and how it is reached.
#[derive(Debug, Clone)]
pub struct RegistryAddress {
    /// `http` or `https`, with the path before `/schemas` and without credentials.
    pub url: String,
    /// What it wants to see.
    pub credentials: Credentials,
    /// Certificates (PEM) that its own is checked against, in place of the system's.
    pub certificates: Option<Vec<u8>>,
}

/// What the registry said of an id.
pub(crate) enum Answer {
    Schema(SchemaText),
    /// It does not have the schema, or one that it refers to: which.
    Missing(String),
    /// There is more of it than is read.
    TooLarge,
}

/// Why it is to be asked again.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// What it did, in an outcome's word.
    pub outcome: &'static str,
    pub why: String,
    /// It asked for a pause.
    pub pause: Option<Duration>,
}

pub(crate) struct RegistryClient {
    http: Client,
    address: RegistryAddress,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaAnswer {
    schema: String,
    #[serde(default)]
    schema_type: Option<SchemaType>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: i64,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error_code: i64,
}

/// The registry's codes for what it does not have: a subject, a version, a schema.
const MISSING: [i64; 3] = [40_401, 40_402, 40_403];

/// A walk through references: what one refers to comes before it.
enum Step {
    Enter(Reference),
    Leave(ReferencedText),
}

fn enter(references: Option<Vec<Reference>>) -> Vec<Step> {
    references.into_iter().flatten().map(Step::Enter).collect()
}

enum Got<T> {
    Found(T),
    Missing,
    TooLarge,
}

impl RegistryClient {
    pub fn new(address: RegistryAddress) -> reqwest::Result<Self> {
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // Credentials go where the operator said.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("recap/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &address.certificates {
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        Ok(Self {
            http: client.build()?,
            address,
        })
    }

    pub fn url(&self) -> &str {
        &self.address.url
    }

    /// The schema of this id, with all that it refers to.
    pub async fn schema(&self, id: u32) -> Result<Answer, Unanswered> {
        let root: SchemaAnswer = match self.get(&format!("/schemas/ids/{id}")).await? {
            Got::Found(answer) => answer,
            Got::Missing => return Ok(Answer::Missing("is not in the registry".to_owned())),
            Got::TooLarge => return Ok(Answer::TooLarge),
        };
        let mut references = Vec::new();
        let mut seen = HashSet::new();
        let mut steps: Vec<Step> = enter(root.references);
        while let Some(step) = steps.pop() {
            let Reference { name, subject, version } = match step {
                Step::Enter(reference) => reference,
                Step::Leave(text) => {
                    references.push(text);
                    continue;
                }
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            if seen.len() > REFERENCES_MAX {
                return Ok(Answer::TooLarge);
            }
            let encoded = utf8_percent_encode(&subject, NON_ALPHANUMERIC);
            let path = format!("/subjects/{encoded}/versions/{version}?deleted=true");
            let answer: SchemaAnswer = match self.get(&path).await? {
                Got::Found(answer) => answer,
                Got::Missing => {
                    return Ok(Answer::Missing(format!(
                        "refers to version {version} of {subject}, which is not in the registry"
                    )));
                }
                Got::TooLarge => return Ok(Answer::TooLarge),
            };
            let schema = answer.schema;
            steps.push(Step::Leave(ReferencedText { name, schema }));
            steps.extend(enter(answer.references));
        }
        Ok(Answer::Schema(SchemaText {
            schema_type: root.schema_type.unwrap_or_default(),
            schema: root.schema,
            references,
        }))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Got<T>, Unanswered> {
        let request = self.http.get(format!("{}{path}", self.address.url));
        let request = request.header("Accept", "application/vnd.schemaregistry.v1+json, application/json");
        let mut answer = self.authorized(request)?.send().await.map_err(|error| {
            let error = error.without_url();
            unavailable(format!("does not answer: {}", causes(&error)))
        })?;
        let status = answer.status();
        let pause = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_MAX => return Ok(Got::TooLarge),
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(unavailable(format!("breaks off: {}", causes(&error.without_url())))),
            }
        }
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map(Got::Found)
                .map_err(|error| Unanswered {
                    outcome: "refused",
                    why: format!(
                        "answers what is no schema ({error}); does RECAP_SCHEMA_REGISTRY_URL lead to Confluent's API?"
                    ),
                    pause: None,
                });
        }
        let code = serde_json::from_slice(&body)
            .ok()
            .map(|ErrorAnswer { error_code }| error_code);
        match status {
            StatusCode::NOT_FOUND if code.is_some_and(|code| MISSING.contains(&code)) => Ok(Got::Missing),
            StatusCode::NOT_FOUND => Err(Unanswered {
                outcome: "refused",
                why:
                    "answers 404 without one of its own codes; does RECAP_SCHEMA_REGISTRY_URL lead to Confluent's API?"
                        .to_owned(),
                pause: None,
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Unanswered {
                outcome: "refused",
                why: format!("refuses with {status}: are its user and password, or its token, right?"),
                pause: None,
            }),
            StatusCode::TOO_MANY_REQUESTS => Err(Unanswered {
                outcome: "limited",
                why: "asks for a pause (429)".to_owned(),
                pause: pause.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE)),
            }),
            _ if status.is_server_error() => Err(unavailable(format!("answers {status}"))),
            _ => Err(Unanswered {
                outcome: "refused",
                why: format!("answers {status}"),
                pause: None,
            }),
        }
    }

    fn authorized(&self, request: RequestBuilder) -> Result<RequestBuilder, Unanswered> {
        let read = |secret: &Secret| {
            secret.read().map_err(|error| Unanswered {
                outcome: "refused",
                why: format!("cannot be asked: {error}"),
                pause: None,
            })
        };
        Ok(match &self.address.credentials {
            Credentials::None => request,
            Credentials::Basic(user, password) => request.basic_auth(user, Some(read(password)?.expose_secret())),
            Credentials::Bearer(token) => request.bearer_auth(read(token)?.expose_secret()),
        })
    }
}

fn unavailable(why: String) -> Unanswered {
    Unanswered {
        outcome: "unavailable",
        why,
        pause: None,
    }
}

/// An error and what caused it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
