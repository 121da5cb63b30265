//! The requests of the reading benchmark. Each number makes another one, so that no cache can have it.

use chrono::{DateTime, Duration, SecondsFormat, Utc};

use crate::stored::{RARE_AGENT, RARE_NAME, user_id};

const LIST: &str = "/api/dashboard/getInteractions?allInOrg=true";

/// Makes request paths.
#[derive(Clone, Copy, Debug)]
pub struct Paths {
    now: DateTime<Utc>,
    users: i64,
    /// Of a narrow range.
    width: Duration,
}

impl Paths {
    /// For a table of so many conversations and users of its largest organization. Whatever its size, a narrow range holds 2,000
    /// conversations, unless they are spread too thin for that: half of that organization's, a tenth of all, lie in 360 days.
    pub fn new(now: DateTime<Utc>, conversations: i64, users: i64) -> Self {
        let minutes = 360 * 24 * 60 * 2_000 / (conversations / 10).max(1);
        let width = Duration::minutes(minutes).min(Duration::days(75));
        Self { now, users, width }
    }

    fn range(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        format!("&from={}&to={}", text(from), text(to))
    }

    /// A range of the last year that ends now; every number moves its beginning.
    fn recent(&self, number: u64) -> String {
        let from = self.now - Duration::days(300) - Duration::milliseconds(small(number));
        Self::range(from, self.now)
    }

    /// The same page every time.
    pub fn page(&self) -> String {
        format!("{LIST}{}&limit=50", self.recent(0))
    }

    /// A page of a range that ends now.
    pub fn newest(&self, number: u64) -> String {
        format!("{LIST}{}&limit=50", self.recent(number + 1))
    }

    /// A page of a range that ends now, of one user, or of a narrow range, one after the other.
    pub fn uncached(&self, number: u64) -> String {
        match number % 3 {
            0 => self.newest(number),
            1 => {
                let user = user_id(small(number.wrapping_mul(7_919)) % self.users);
                format!("{LIST}{}&limit=50&userId={user}", self.recent(number + 1))
            }
            _ => {
                let latest = (Duration::days(340) - self.width).num_minutes();
                let from = self.now - Duration::days(350) + Duration::minutes(small(number.wrapping_mul(31)) % latest);
                format!("{LIST}{}&limit=50", Self::range(from, from + self.width))
            }
        }
    }

    /// The month two years ago that holds half of the largest organization's conversations.
    pub fn old(&self, number: u64) -> String {
        let from = self.now - Duration::days(730) - Duration::milliseconds(small(number) + 1);
        format!("{LIST}{}&limit=50", Self::range(from, from + Duration::days(31)))
    }

    /// One user by the metadata that only this user has.
    pub fn metadata(&self, number: u64) -> String {
        let user = small(number.wrapping_mul(7_919)) % self.users;
        format!(
            "{LIST}{}&limit=50&metadataKey=customerId&metadataValue=customer-{user}",
            self.recent(number + 1)
        )
    }

    /// Pages of what one conversation in a thousand is like, each filter by its name.
    pub fn rare(&self, filter: &str, number: u64) -> String {
        let filter = match filter {
            "agentId" => format!("agentId={RARE_AGENT}"),
            "toolError" => "toolError=true".to_owned(),
            name => format!("{name}={RARE_NAME}"),
        };
        format!("{LIST}{}&limit=50&{filter}", self.recent(number + 1))
    }

    /// A page of a month in another order.
    pub fn sorted(&self, sort: &str, number: u64) -> String {
        let latest = Duration::days(310).num_minutes();
        let from = self.now - Duration::days(350) + Duration::minutes(small(number.wrapping_mul(31)) % latest);
        format!(
            "{LIST}{}&limit=50&sort={sort}",
            Self::range(from, from + Duration::days(30))
        )
    }

    /// Figures of the last year by day.
    pub fn series(&self, number: u64) -> String {
        let from = self.now - Duration::days(364) - Duration::milliseconds(small(number));
        let range = Self::range(from, self.now);
        format!("/api/dashboard/getTimeSeries?allInOrg=true{range}&interval=day")
    }

    /// Figures of the last year by what conversations have in common.
    pub fn breakdown(&self, by: &str, number: u64) -> String {
        let from = self.now - Duration::days(364) - Duration::milliseconds(small(number));
        let range = Self::range(from, self.now);
        format!("/api/dashboard/getBreakdown?allInOrg=true{range}&by={by}")
    }

    /// Everything, with tool calls, unpaged.
    pub fn whole(&self) -> String {
        let month = self.now - Duration::days(731);
        format!("{LIST}{}", Self::range(month, month + Duration::days(32)))
    }

    /// Totals over the whole history.
    pub fn stats(&self, number: u64) -> String {
        let from = self.now - Duration::days(3_000) - Duration::milliseconds(small(number));
        format!("/api/dashboard/getStats?allInOrg=true{}", Self::range(from, self.now))
    }
}

fn small(number: u64) -> i64 {
    i64::try_from(number % 1_000_000_007).unwrap_or(0)
}
