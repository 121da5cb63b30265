//! The limit of reading: the same bytes from memory behind the same kind of token check, no cache, no database. A process of
//! its own, as the service is: a server that shares its threads with its clients saves what no real one can.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use recap_testing::clerk::{Session, SigningKey};
use serde_json::Value;
use tokio::net::TcpListener;

use super::load::Target;

struct Shared {
    key: DecodingKey,
    validation: Validation,
    body: Bytes,
}

/// A running server; dropping it stops it.
pub struct MemoryServer {
    pub target: Target,
    child: Child,
}

impl MemoryServer {
    /// Serves `body` to whoever has a valid token.
    pub fn start(body: &[u8]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("where is this program?")?;
        let mut child = Command::new(program)
            .arg("memory-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("the memory server's input")?;
        stdin.write_all(body)?;
        drop(stdin);
        let stdout = child.stdout.take().context("the memory server's output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (host, token) = line.trim().split_once(' ').context("the memory server did not start")?;
        let target = Target {
            host: host.to_owned(),
            token: token.to_owned(),
        };
        Ok(Self { target, child })
    }
}

impl Drop for MemoryServer {
    fn drop(&mut self) {
        // It has nothing to finish.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves what standard input holds, after a line with its address and a token.
pub async fn serve() -> anyhow::Result<()> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let key = SigningKey::generate()?;
    let issuer = "http://memory.example";
    let token = key.sign(&Session::admin("org_memory", "user_memory").claims_v2(issuer))?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    let shared = Shared {
        key: DecodingKey::from_rsa_pem(key.public_pem().as_bytes()).context("the key just made")?,
        validation,
        body: body.into(),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{} {token}", listener.local_addr()?);
    let router = Router::new().fallback(get(answer)).with_state(Arc::new(shared));
    Ok(axum::serve(listener, router).await?)
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let valid =
        token.is_some_and(|token| jsonwebtoken::decode::<Value>(token, &shared.key, &shared.validation).is_ok());
    if valid {
        ([(CONTENT_TYPE, "application/json")], shared.body.clone()).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
