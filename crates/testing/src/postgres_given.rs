//! A PostgreSQL server that is there already, in place of a private cluster: for what no test can start, such as a Citus cluster.

use std::env;

use reqwest::Url;

use crate::error::ServerError;

/// A database of the server, on a port of 127.0.0.1, with superuser rights.
const URL: &str = "RECAP_TEST_DATABASE_URL";

/// The server that the environment names, if it does.
pub(crate) fn url() -> Result<Option<Url>, ServerError> {
    let Ok(text) = env::var(URL) else {
        return Ok(None);
    };
    let url = Url::parse(&text).ok().filter(|url| url.port().is_some());
    url.map(Some).ok_or(ServerError::Missing {
        what: "a server with its port",
        install: "name one as RECAP_TEST_DATABASE_URL=postgres://user:password@127.0.0.1:5432/postgres",
    })
}
