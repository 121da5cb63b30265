//! What `recap dev` prints once everything is up.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use chrono::{SecondsFormat, Utc};
use recap_generator::Log;
use recap_testing::clerk::{LocalClerk, Session};
use secrecy::{ExposeSecret as _, SecretString};

/// Where everything is.
pub struct Banner {
    pub http_addr: SocketAddr,
    pub admin_addr: SocketAddr,
    pub kafka: String,
    pub database_url: SecretString,
    pub begun: Instant,
    /// New events a second, if any come.
    pub rate: Option<f64>,
}

impl Banner {
    pub fn print(&self, log: &Log, clerk: &LocalClerk) -> anyhow::Result<()> {
        let organization = log.organizations().swap_remove(0);
        let user = log.users(0).swap_remove(0);
        let session = Session {
            lifetime: Duration::from_hours(12),
            ..Session::member(&organization, &user)
        };
        let member = clerk.token(&session)?;
        let admin = clerk.token(&Session { admin: true, ..session })?;
        let day = chrono::Duration::days(1);
        let now = Utc::now();
        let from = (now - day * 7).to_rfc3339_opts(SecondsFormat::Secs, true);
        let to = (now + day).to_rfc3339_opts(SecondsFormat::Secs, true);
        let base = format!("http://{}", self.http_addr);
        let range = format!("from={from}&to={to}");
        let list = format!("{base}/api/dashboard/getInteractions?{range}&allInOrg=true");
        let stats = format!("{base}/api/dashboard/getStats?{range}&allInOrg=true");
        let traffic = self.rate.map_or_else(
            || String::from("No sample is published."),
            |rate| format!("{rate} new events arrive every second."),
        );
        println!(
            "\nrecap is running at {base}, ready after {seconds:.1} s. {traffic}\n\n\
             ADMIN='{admin}'\n\
             MEMBER='{member}'\n\n\
             Organization {organization}; the member is {user}. The tokens are good for 12 hours.\n\n\
             # two conversations, newest first\n\
             curl -s -H 'Authorization: Bearer {admin}' '{list}&limit=2'\n\n\
             # of users whose metadata says so; totals; a spreadsheet (set ADMIN as above first)\n\
             curl -s -H \"Authorization: Bearer $ADMIN\" '{list}&limit=2&metadataKey=department.name&metadataValue=support'\n\
             curl -s -H \"Authorization: Bearer $ADMIN\" '{stats}'\n\
             curl -s -H \"Authorization: Bearer $ADMIN\" -H 'Accept: text/csv' '{list}&exclude=toolCalls,feedbackData'\n\n\
             API reference  {base}/docs\n\
             metrics        {base}/metrics and http://{admin_addr}/metrics\n\
             Kafka          {kafka}\n\
             PostgreSQL     {database}\n\n\
             Ctrl-C stops it.",
            seconds = self.begun.elapsed().as_secs_f64(),
            admin_addr = self.admin_addr,
            kafka = self.kafka,
            database = self.database(),
        );
        Ok(())
    }

    /// The private server's password is made for this run and worth nothing elsewhere; a given one's is not shown.
    fn database(&self) -> String {
        let Ok(mut url) = reqwest::Url::parse(self.database_url.expose_secret()) else {
            return String::from("the one given");
        };
        let given = std::env::var_os("DATABASE_URL").is_some() || url.username() != "recap";
        if given && url.set_password(None).is_err() {
            return String::from("the one given");
        }
        url.into()
    }
}
