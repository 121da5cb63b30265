//! What developers ask.

use super::{
    Comments, SORRY, Scene, call,
    delegates::{READ_LOGS, REVIEW_CHANGE},
    handing_on, risky, turn,
};
use crate::sample::cast::Role;

const ROLE: Role = Role::Engineering;

pub const SCENES: &[Scene] = &[
    Scene {
        role: ROLE,
        openings: &[
            "The deploy of {service} has been stuck for ten minutes. Can you see why?",
            "{service} is rolling out since forever, two pods are not ready.",
        ],
        turns: &[
            handing_on(
                "",
                &[risky(
                    "kubectl_get_pods",
                    r#"{"namespace":"shop","selector":"app={service}"}"#,
                    r#"{"ready":4,"of":6,"pods":[{"name":"{service}-6f9c","ready":false,"reason":"Readiness probe failed: 503"},{"name":"{service}-8d2a","ready":false,"reason":"Readiness probe failed: 503"}]}"#,
                    r#"{"code":403,"message":"pods is forbidden: cannot list resource in namespace shop"}"#,
                )],
                &READ_LOGS,
                "Two of six pods are not ready: their readiness probe gets a 503 because the migration job still holds a lock on table orders.",
            ),
            turn(
                "Can we cancel the migration safely?",
                &[call(
                    "pg_locks",
                    r#"{"database":"shop"}"#,
                    r#"{"blocking":{"pid":4211,"statement":"CREATE INDEX CONCURRENTLY","seconds":611},"waiting":2}"#,
                )],
                "Yes. It builds an index concurrently, so cancelling leaves an invalid index behind that I would drop before the next try. Nothing else is touched.",
            ),
            turn(
                "Do it, and roll back the deployment.",
                &[risky(
                    "rollback",
                    r#"{"deployment":"{service}","to":"2026.14.2"}"#,
                    r#"{"status":"complete","ready":6,"seconds":48}"#,
                    r#"{"code":"conflict","message":"another rollout is in progress"}"#,
                )],
                "The migration is cancelled, the invalid index dropped, and {service} is back on release 2026.14.2. All six pods are ready, the error rate is 0.02%.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Saved us an hour.",
                "It found the lock before we did.",
                "Calm and precise at 3 in the morning.",
            ],
            displeased: &["Should have asked before forcing.", "Wrong namespace at first."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Review pull request {pr}: it adds retries to the payment client.",
            "Please look over #{pr} before I merge, mostly the error handling.",
            "Is #{pr} safe to ship on a Friday?",
        ],
        turns: &[
            handing_on(
                "",
                &[call(
                    "git_diff",
                    r#"{"pullRequest":{pr}}"#,
                    r#"{"files":4,"added":126,"removed":18,"touches":["client.rs","retry.rs","client_test.rs","CHANGELOG.md"]}"#,
                )],
                &REVIEW_CHANGE,
                "Two findings. A POST without an idempotency key may be sent twice, and the back-off has no upper limit. The tests cover neither.",
            ),
            turn(
                "How would you fix the first?",
                &[],
                "Make the key once before the first try and send it with each. The provider keeps it for 24 hours, so a retry cannot charge twice.",
            ),
            turn(
                "And a test for it?",
                &[risky(
                    "run_tests",
                    r#"{"filter":"payment_client"}"#,
                    r#"{"passed":43,"failed":[],"seconds":19.4}"#,
                    r#"{"passed":41,"failed":["retry_sends_the_same_key"],"log":"assertion failed: one payment"}"#,
                )],
                "Let the fake server drop the first answer after it has booked the payment, then assert that the second request carries the same key and that one payment exists. Pushed as a suggestion, the build is green.",
            ),
        ],
        comments: Comments {
            pleased: &["Found a real bug.", "Nitpicky but right.", "Better review than mine."],
            displeased: &[
                "Missed the time zone issue.",
                "Complains about style we do not enforce.",
            ],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Why does {service} need 4 GB since the last release?",
            "Memory of {service} grows by 100 MB an hour. Leak?",
        ],
        turns: &[
            turn(
                "",
                &[
                    risky(
                        "query_metrics",
                        r#"{"query":"container_memory_working_set_bytes{pod=~'{service}.*'}","hours":48}"#,
                        r#"{"series":6,"slopeMiBPerHour":98,"since":"release 2026.14"}"#,
                        r#"{"status":422,"message":"query processing would load too many samples"}"#,
                    ),
                    call(
                        "heap_profile",
                        r#"{"service":"{service}","seconds":30}"#,
                        r#"{"top":[{"bytes":2114000000,"in":"cache::insert"},{"bytes":310000000,"in":"json::parse"}]}"#,
                    ),
                ],
                "It is no leak but a cache without a bound: release 2026.14 keys it by the full URL, and the URLs carry a random token. Every request is a new entry.",
            ),
            turn(
                "What is the smallest fix?",
                &[],
                "Leave the token out of the key, one line. I would also give the cache a size, so that the next such mistake costs hits and not memory.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Right on the first try.",
                "Explained it so that I could defend it in the review.",
            ],
            displeased: &["The profile was from staging."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Compare the three vector databases on our shortlist for 20 million documents.",
            "Should we use queues or streams between {service} and billing?",
        ],
        turns: &[
            turn(
                "",
                &[
                    call(
                        "search_web",
                        r#"{"query":"benchmark filters multi tenant","limit":10}"#,
                        r#"{"hits":10,"best":["benchmark report","pricing page","release notes"]}"#,
                    ),
                    risky(
                        "fetch_page",
                        r#"{"url":"https://pricing.example.com"}"#,
                        r#"{"status":200,"title":"Pricing","words":812}"#,
                        r#"{"status":403,"message":"robots are not welcome"}"#,
                    ),
                ],
                "On your own benchmark the second is fastest at 12 ms (p95), the first needs the least memory (31 GB), and the third is the only one with isolation by tenant.",
            ),
            turn(
                "Isolation matters most to us. What does that cost at our size?",
                &[],
                "About 1,450 USD a month on three nodes with replicas. The first two are near 900 USD, but you would have to build the isolation yourself.",
            ),
            turn(
                "Prepare a one-page recommendation.",
                &[risky(
                    "write_document",
                    r#"{"title":"Recommendation","folder":"Architecture"}"#,
                    r#"{"pages":1,"saved":true,"document":"doc_{order}"}"#,
                    r#"{"code":"locked","by":"somebody else"}"#,
                )],
                "The page is in the shared folder: recommendation, figures with their sources, risks, and a pilot plan of four weeks.",
            ),
        ],
        comments: Comments {
            pleased: &["Good sources.", "The pilot plan helped to convince everybody."],
            displeased: &["Too long for a first answer.", "One of the links was dead."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Write a migration that splits name into first and last name in table customers.",
            "Add an index for the slow query on orders, without locking the table.",
        ],
        turns: &[
            turn(
                "",
                &[
                    call(
                        "describe_table",
                        r#"{"table":"customers"}"#,
                        r#"{"rows":3180000,"columns":["id","name","email","created_at"],"indexes":2}"#,
                    ),
                    risky(
                        "explain",
                        r#"{"query":"select id from orders where customer_id = 1 order by created_at desc limit 50"}"#,
                        r#"{"node":"Index Scan","cost":8.6,"rows":50}"#,
                        r#"{"code":"57014","message":"statement timeout"}"#,
                    ),
                ],
                "Three steps that can each be rolled back: add nullable columns, fill them in batches of 5,000 by id, then switch reads. The index is built concurrently, so nobody waits.",
            ),
            turn(
                "How long will the fill take?",
                &[],
                "At 5,000 rows every 200 ms about two minutes. Replication lag stays under a second; I would still not start it at noon.",
            ),
        ],
        comments: Comments {
            pleased: &["Ran it in production without a blip.", "Knew about lock_timeout."],
            displeased: &["Names with three parts broke."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Ticket {ticket}: the nightly job of {service} fails every {day}.",
            "Why is the build of {service} red since this morning?",
        ],
        turns: &[
            handing_on(
                "",
                &[call(
                    "get_ticket",
                    r#"{"key":"{ticket}"}"#,
                    r#"{"key":"{ticket}","priority":"high","reportedBy":"on-call","occurrences":3}"#,
                )],
                &READ_LOGS,
                "The job starts while the backup still runs, and both want the same lock. It fails when the backup takes longer than an hour, which it does when the logs of the week are large.",
            ),
            turn(
                "Move it to 4 o’clock then.",
                &[risky(
                    "update_schedule",
                    r#"{"job":"{service}-nightly","cron":"0 4 * * *"}"#,
                    r#"{"updated":true,"next":"04:00"}"#,
                    r#"{"code":"protected","message":"needs a second approval"}"#,
                )],
                "Moved. I left a note in {ticket}, and an alert that tells you when the backup passes three hours.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Connected two things nobody had connected.",
                "Closed the ticket for me, too.",
            ],
            displeased: &["It was the disk, not the backup."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Erklär mir bitte, was {service} beim Start alles macht.",
            "Warum ist der Test retry_sends_the_same_key manchmal rot?",
        ],
        turns: &[
            turn(
                "",
                &[
                    call(
                        "search_code",
                        r#"{"repository":"{service}","query":"fn main"}"#,
                        r#"{"files":3,"matches":7}"#,
                    ),
                    risky(
                        "run_tests",
                        r#"{"filter":"retry","repeat":50}"#,
                        r#"{"passed":50,"failed":[]}"#,
                        r#"{"passed":48,"failed":["retry_sends_the_same_key"]}"#,
                    ),
                ],
                "Er liest die Konfiguration, wartet auf die Datenbank und wärmt den Cache vor. Der Test misst echte Zeit: auf einer langsamen Maschine läuft die Frist ab, bevor der zweite Versuch beginnt.",
            ),
            turn(
                "Und wie wird er stabil?",
                &[],
                "Gib ihm eine Uhr, die der Test selbst stellt. Dann dauert er auch nur noch zwei Millisekunden.",
            ),
        ],
        comments: Comments {
            pleased: &["Genau das Problem gefunden.", "Sehr gut erklärt."],
            displeased: &["Der Vorschlag kompiliert nicht."],
        },
        sorry: "Leider antwortet gerade eines unserer Systeme nicht. Ich habe die Frage notiert und melde mich, sobald es wieder geht.",
    },
];
