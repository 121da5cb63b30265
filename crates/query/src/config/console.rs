//! How the console is given: on or off, and how one signs in there.

use clap::Args;
use recap_console::{PublishableKey, SignIn};
use recap_service::config::{Given, Mistakes, Reader, or_nothing};

/// The page at `/console`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Console")]
pub(super) struct ConsoleArgs {
    /// `off` serves no page at `/console`.
    #[arg(long, env = "RECAP_CONSOLE", value_name = "on|off", default_value = "on", value_parser = on_or_off())]
    console: Given<bool>,
    /// Clerk's publishable key, with which the console signs people in. Without it the session's cookie does where that is accepted, or a pasted token.
    #[arg(long, env = "CLERK_PUBLISHABLE_KEY", value_name = "KEY", value_parser = or_nothing(publishable_key()))]
    clerk_publishable_key: Option<Given<Option<PublishableKey>>>,
}

impl ConsoleArgs {
    pub(super) fn sign_in(&self, found: &mut Mistakes, session_cookie: bool) -> Option<SignIn> {
        let key = self.clerk_publishable_key.as_ref().and_then(|key| found.take(key));
        let sign_in = match key {
            Some(key) => SignIn::Clerk(key),
            None if session_cookie => SignIn::Cookie,
            None => SignIn::Token,
        };
        found.take(&self.console).then_some(sign_in)
    }
}

fn on_or_off() -> Reader<bool> {
    Reader::new(|text| match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off".to_owned()),
    })
}

fn publishable_key() -> Reader<PublishableKey> {
    Reader::new(|text| PublishableKey::parse(text).map_err(|error| error.to_string()))
}
