//! What `recap dev` prints once everything is up.

use std::{net::SocketAddr, path::Path, time::Instant};

use chrono::SecondsFormat;
use recap_generator::Sample;
use recap_service::clock;
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
    pub fn print(&self, sample: &Sample) {
        // The first person of the first organization is one of the console's, too.
        let person = sample.people().swap_remove(0).swap_remove(0);
        let (organization, user) = (person.organization_id, person.user_id);
        let day = chrono::Duration::days(1);
        let now = clock::now();
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
            "\nopen {base}/console\n\n\
             recap is running at {base}, ready after {seconds:.1} s. {traffic}\n\n\
             ADMIN=$({recap} token --org {organization} --user {user} --admin)   # without --admin: a member\n\
             curl -s -H \"Authorization: Bearer $ADMIN\" '{list}&limit=2'\n\
             curl -s -H \"Authorization: Bearer $ADMIN\" '{stats}'\n\
             curl -s -H \"Authorization: Bearer $ADMIN\" -H 'Accept: text/csv' '{list}&exclude=toolCalls,feedbackData'\n\n\
             reference    {base}/docs\n\
             metrics      http://{admin_addr}/metrics\n\
             Kafka        {kafka}\n\
             PostgreSQL   {database}\n\n\
             Ctrl-C stops it.",
            seconds = self.begun.elapsed().as_secs_f64(),
            recap = this_program(),
            admin_addr = self.admin_addr,
            kafka = self.kafka,
            database = self.database(),
        );
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

/// How this program can be started again from here.
fn this_program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| "recap".into());
    let here = std::env::current_dir().ok();
    let shorter = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    shorter.unwrap_or(path).display().to_string()
}
