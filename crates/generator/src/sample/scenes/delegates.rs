//! What one agent asks another to do: conversations below a user's.

use super::{Comments, SORRY, Scene, call, risky, turn};
use crate::sample::cast::Role;

const NOBODY: Comments = Comments {
    pleased: &[],
    displeased: &[],
};

#[cfg(test)]
pub const ALL: [&Scene; 7] = [
    &FIND_PARCEL,
    &CHECK_CHARGES,
    &WRITE_QUOTE,
    &RESEARCH_COMPANY,
    &READ_LOGS,
    &REVIEW_CHANGE,
    &ASK_CARRIER,
];

pub const FIND_PARCEL: Scene = Scene {
    role: Role::OrderDesk,
    openings: &["Find the parcel of order {order} and tell me where it is and when it arrives."],
    turns: &[super::handing_on(
        "",
        &[
            call(
                "list_shipments",
                r#"{"orderId":"{order}"}"#,
                r#"{"shipments":[{"id":"sh_{order}","carrier":"DHL","state":"in_transit"}]}"#,
            ),
            risky(
                "track_parcel",
                r#"{"shipment":"sh_{order}"}"#,
                r#"{"lastScan":{"city":"{city}","at":"07:42"},"next":"out for delivery","history":[{"city":"Rotterdam"},{"city":"Venlo"},{"city":"{city}"}]}"#,
                r#"{"code":"carrier_unavailable","status":502}"#,
            ),
        ],
        &ASK_CARRIER,
        "Scanned in {city} at 07:42, out for delivery tomorrow before noon. One shipment, nothing missing.",
    )],
    comments: NOBODY,
    sorry: SORRY,
};

pub const ASK_CARRIER: Scene = Scene {
    role: Role::CarrierLink,
    openings: &["Ask the carrier for the exact window of shipment sh_{order}."],
    turns: &[turn(
        "",
        &[risky(
            "carrier_api",
            r#"{"method":"GET","path":"/v3/windows/sh_{order}"}"#,
            r#"{"from":"10:15","to":"11:45","confidence":0.9}"#,
            r#"{"status":504,"message":"upstream request timeout"}"#,
        )],
        "Between 10:15 and 11:45, with a confidence of 90%.",
    )],
    comments: NOBODY,
    sorry: SORRY,
};

pub const CHECK_CHARGES: Scene = Scene {
    role: Role::Billing,
    openings: &["Compare invoice {invoice} with the seats that were active in {month}."],
    turns: &[
        turn(
            "",
            &[
                call(
                    "list_seats",
                    r#"{"month":"{month}","state":"active"}"#,
                    r#"{"active":{seats},"deactivated":4,"on":"the 2nd"}"#,
                ),
                risky(
                    "compare_invoice",
                    r#"{"invoice":"{invoice}"}"#,
                    r#"{"difference":4,"perSeat":29,"credit":116}"#,
                    r#"{"code":"ledger_locked","until":"the month is closed"}"#,
                ),
            ],
            "Four seats too many: they were deactivated a day after the invoice was made. A credit of 116 EUR is due.",
        ),
        turn(
            "Open the correction.",
            &[call(
                "open_correction",
                r#"{"invoice":"{invoice}","credit":116}"#,
                r#"{"correction":"C-{order}","state":"open"}"#,
            )],
            "Opened as C-{order}.",
        ),
    ],
    comments: NOBODY,
    sorry: SORRY,
};

pub const WRITE_QUOTE: Scene = Scene {
    role: Role::QuoteWriter,
    openings: &["Write an offer for {seats} seats, business plan, yearly, with single sign-on."],
    turns: &[turn(
        "",
        &[
            call(
                "quote_template",
                r#"{"language":"en","plan":"business"}"#,
                r#"{"template":"business-2026","pages":3}"#,
            ),
            risky(
                "create_quote",
                r#"{"template":"business-2026","seats":{seats},"term":"yearly"}"#,
                r#"{"quote":"Q-{order}","total":{amount},"currency":"EUR","validDays":30,"pdf":true}"#,
                r#"{"code":"approval_needed","message":"discounts above 15% need an approval"}"#,
            ),
        ],
        "Offer Q-{order} is ready: {amount} EUR a year, valid for thirty days.",
    )],
    comments: NOBODY,
    sorry: SORRY,
};

pub const RESEARCH_COMPANY: Scene = Scene {
    role: Role::Researcher,
    openings: &["Find out what {company} does, who decides there, and what changed lately."],
    turns: &[turn(
        "",
        &[
            call(
                "search_web",
                r#"{"query":"{company} warehouses carrier","limit":10}"#,
                r#"{"hits":10,"best":["press release","annual report","interview with the CTO"]}"#,
            ),
            risky(
                "fetch_page",
                r#"{"url":"https://news.example.com/{order}"}"#,
                r#"{"status":200,"title":"{company} moves to one carrier","words":640}"#,
                r#"{"status":403,"message":"robots are not welcome"}"#,
            ),
            call("summarize", r#"{"sources":3}"#, r#"{"sentences":5}"#),
        ],
        "{company} has 40 warehouses and moved to one carrier this spring. The CTO decides about software; the last interview names audit logs as the open question.",
    )],
    comments: NOBODY,
    sorry: SORRY,
};

pub const READ_LOGS: Scene = Scene {
    role: Role::LogAnalyst,
    openings: &["Read the logs of {service} since the last release and name what is new."],
    turns: &[turn(
        "",
        &[
            risky(
                "search_logs",
                r#"{"service":"{service}","level":"error","minutes":30}"#,
                r#"{"lines":1874,"patterns":[{"count":1620,"text":"canceling statement due to lock timeout"},{"count":254,"text":"503 from readiness"}]}"#,
                r#"{"code":"too_many_requests","message":"search capacity is used up"}"#,
            ),
            call(
                "compare_logs",
                r#"{"service":"{service}","with":"2026.14.1"}"#,
                r#"{"new":["canceling statement due to lock timeout"],"gone":[]}"#,
            ),
        ],
        "One pattern is new: statements wait for a lock and are cancelled, 1,620 times in half an hour, all of them on table orders.",
    )],
    comments: NOBODY,
    sorry: SORRY,
};

pub const REVIEW_CHANGE: Scene = Scene {
    role: Role::Reviewer,
    openings: &["Review the diff of pull request {pr}: correctness first, then tests."],
    turns: &[
        turn(
            "",
            &[
                call(
                    "read_file",
                    r#"{"path":"src/retry.rs"}"#,
                    r#"{"lines":214,"language":"rust"}"#,
                ),
                risky(
                    "run_tests",
                    r#"{"filter":"retry"}"#,
                    r#"{"passed":18,"failed":[]}"#,
                    r#"{"passed":17,"failed":["gives_up_after_the_deadline"]}"#,
                ),
            ],
            "retry.rs sends the same POST again without an idempotency key, and the pause doubles without an upper limit. No test has a server that answers late.",
        ),
        turn(
            "Anything about naming?",
            &[],
            "Only try_again, which reads like a verb for users. The rest is fine.",
        ),
    ],
    comments: NOBODY,
    sorry: SORRY,
};
