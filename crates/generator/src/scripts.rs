//! Written conversations for people to look at: what `recap dev` shows in place of random words.
//!
//! Texts and JSON are written as they stand in a JSON text: no quotes, backslashes or control characters in texts.

use self::Outcome::{Error, Result};

/// A conversation that can go on for as long as it has to: its turns repeat.
#[derive(Debug)]
pub struct Script {
    /// What the user says and what the assistant answers.
    pub turns: &'static [(&'static str, &'static str)],
    /// Calls that fit: the tool, its arguments and what came of it.
    pub tools: &'static [(&'static str, &'static str, Outcome)],
    /// What a user writes with a feedback.
    pub comments: &'static [&'static str],
}

/// JSON that a tool answers.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Result(&'static str),
    Error(&'static str),
}

/// The script of a conversation.
pub fn script(conversation: u64) -> &'static Script {
    let count = SCRIPTS.len() as u64;
    &SCRIPTS[usize::try_from(conversation % count).unwrap_or(0)]
}

const SCRIPTS: &[Script] = &[
    Script {
        turns: &[
            (
                "Where is my order 48213? It should have been here on Monday.",
                "Order 48213 left our warehouse in Rotterdam on Friday. The carrier scanned it this morning in Cologne, so it should reach you tomorrow before noon.",
            ),
            (
                "Tomorrow is too late, I need it today. Can you change the delivery?",
                "The parcel is already with the carrier, so the day cannot be moved. I can redirect it to the pick-up point at the main station, where it will be ready from 18:00 today.",
            ),
            (
                "The pick-up point is fine. Do I need anything to collect it?",
                "Only the code I have just sent to your e-mail address, and an identity card. The parcel is kept for seven days.",
            ),
            (
                "Will I get the shipping cost back?",
                "Yes. Since it missed the promised day I have refunded the shipping cost of 4.90 EUR; it is on your card within three working days.",
            ),
        ],
        tools: &[
            (
                "lookup_order",
                r#"{"orderId":"48213"}"#,
                Result(
                    r#"{"status":"in_transit","carrier":"DHL","lastScan":{"city":"Cologne","at":"07:42"},"promised":"Monday"}"#,
                ),
            ),
            (
                "redirect_parcel",
                r#"{"orderId":"48213","to":"Cologne main station"}"#,
                Result(r#"{"accepted":true,"readyFrom":"18:00"}"#),
            ),
            (
                "refund",
                r#"{"orderId":"48213","amount":4.90,"currency":"EUR"}"#,
                Error(r#"{"code":"payment_provider_timeout","retryAfterSeconds":30}"#),
            ),
        ],
        comments: &["Quick and friendly", "Got my parcel the same day", "I had to ask twice"],
    },
    Script {
        turns: &[
            (
                "Our invoice from March lists 25 seats, but we only have 21 people.",
                "You are right: four accounts were deactivated on 2 March, and the invoice was made on 1 March. I have opened a correction for four seats.",
            ),
            (
                "Do we get the money back or is it taken off the next invoice?",
                "It is credited on the next invoice, 4 x 29 EUR = 116 EUR. If you prefer a transfer, I can pass that on to accounting.",
            ),
            (
                "A credit is fine. Can you also add our VAT number?",
                "Done, the VAT number was checked with VIES and stands on all invoices from now on. Do you want the March invoice again with it?",
            ),
            (
                "Yes please, to accounting@ as well.",
                "Sent to you and to your accounting address. Is there anything else?",
            ),
        ],
        tools: &[
            (
                "get_invoice",
                r#"{"month":"2026-03"}"#,
                Result(r#"{"number":"R-2026-0318","seats":25,"unitPrice":29,"currency":"EUR","total":725}"#),
            ),
            (
                "validate_vat",
                r#"{"number":"DE811569869"}"#,
                Result(r#"{"valid":true,"checkedWith":"VIES"}"#),
            ),
        ],
        comments: &["Solved in one chat", "The credit note was missing at first"],
    },
    Script {
        turns: &[
            (
                "Summarize last quarter's revenue by region, with the change against the year before.",
                "EMEA leads with 41.5M (+12%), then North America with 38.2M (+4%) and APAC with 17.0M (+31%). LATAM fell by 3% to 6.1M, all of it in Brazil.",
            ),
            (
                "What happened in Brazil?",
                "Two enterprise contracts ended in November and were not renewed. Without them Brazil would have grown by 9%.",
            ),
            (
                "Which accounts are up for renewal next quarter?",
                "Eleven above 100k. Three of them used the product less than once a week since January: Northwind, Acme Logistics and Vila Real. I would call those first.",
            ),
            (
                "Draft a mail to the owner of Northwind.",
                "Here is a draft: thank them for two years, name the two features their team stopped using, and offer a review with our solution engineer next week.",
            ),
        ],
        tools: &[
            (
                "run_sql",
                r#"{"query":"select region, sum(amount) from revenue where quarter = 'Q4' group by region"}"#,
                Result(r#"{"rows":[["EMEA",41.5],["NA",38.2],["APAC",17.0],["LATAM",6.1]],"milliseconds":412}"#),
            ),
            (
                "run_sql",
                r#"{"query":"select account, last_seen from renewals where due between '2026-04-01' and '2026-06-30'"}"#,
                Error(r#"{"code":"42P01","message":"relation renewals does not exist"}"#),
            ),
            (
                "crm_search",
                r#"{"segment":"renewal","minimum":100000}"#,
                Result(r#"{"accounts":["Northwind","Acme Logistics","Vila Real"],"total":11}"#),
            ),
        ],
        comments: &[
            "Exactly what I needed for the board",
            "Numbers match the warehouse",
            "Chart would have been nice",
        ],
    },
    Script {
        turns: &[
            (
                "The deploy of checkout-api has been stuck for ten minutes. Can you see why?",
                "Two of six pods are not ready: their readiness probe gets a 503 because the migration job still holds a lock on table orders.",
            ),
            (
                "Can we cancel the migration safely?",
                "Yes. It builds an index concurrently, so cancelling leaves an invalid index behind that I would drop before the next try. Nothing else is touched.",
            ),
            (
                "Do it, and roll back the deployment.",
                "The migration is cancelled, the invalid index dropped, and checkout-api is back on release 2026.14.2. All six pods are ready, the error rate is 0.02%.",
            ),
            (
                "Write the incident note, please.",
                "Done: timeline, cause, effect (4 minutes of slower checkouts, no failed payments) and two follow-ups, one of them to run that migration outside business hours.",
            ),
        ],
        tools: &[
            (
                "kubectl_get_pods",
                r#"{"namespace":"shop","selector":"app=checkout-api"}"#,
                Result(r#"{"ready":4,"of":6,"reasons":["Readiness probe failed: 503"]}"#),
            ),
            (
                "pg_locks",
                r#"{"database":"shop"}"#,
                Result(r#"{"blocking":{"pid":4211,"statement":"CREATE INDEX CONCURRENTLY","seconds":611}}"#),
            ),
            (
                "rollback",
                r#"{"deployment":"checkout-api","to":"2026.14.2"}"#,
                Error(r#"{"code":"conflict","message":"another rollout is in progress"}"#),
            ),
            (
                "rollback",
                r#"{"deployment":"checkout-api","to":"2026.14.2","force":true}"#,
                Result(r#"{"status":"complete","seconds":48}"#),
            ),
        ],
        comments: &[
            "Saved us an hour",
            "It found the lock before we did",
            "Should have asked before forcing",
        ],
    },
    Script {
        turns: &[
            (
                "Wie kann ich mein Passwort zurücksetzen? Die Mail kommt nicht an.",
                "Die Mail wurde vor vier Minuten zugestellt, liegt aber vermutlich im Ordner für Werbung. Ich habe sie noch einmal geschickt, der Link gilt eine Stunde.",
            ),
            (
                "Jetzt ist sie da, danke. Kann ich auch einen zweiten Faktor einrichten?",
                "Ja, unter Einstellungen, Sicherheit. Eine Authenticator-App oder ein Sicherheitsschlüssel gehen beide; bitte drucken Sie die Ersatzcodes aus.",
            ),
            (
                "Was passiert, wenn ich mein Handy verliere?",
                "Mit einem Ersatzcode kommen Sie hinein und können das alte Gerät entfernen. Ohne Code prüft unser Team Ihre Identität, das dauert einen Werktag.",
            ),
        ],
        tools: &[(
            "mail_log",
            r#"{"to":"m***@example.com","kind":"password_reset"}"#,
            Result(r#"{"sent":2,"delivered":2,"folder":"promotions"}"#),
        )],
        comments: &["Sehr hilfreich", "Schnelle Antwort"],
    },
    Script {
        turns: &[
            (
                "Quel est le délai pour un échantillon du nouveau tissu ?",
                "Trois jours ouvrés vers la France. Je peux joindre les coloris sable et ardoise, les plus demandés par les architectes.",
            ),
            (
                "Parfait. Est-il résistant au feu pour un hôtel ?",
                "Oui, il est classé M1 et EN 1021. J'ajoute les certificats à l'envoi.",
            ),
            (
                "Et le prix pour 300 mètres ?",
                "38,50 EUR le mètre à partir de 250 mètres, livraison comprise. Le devis est dans votre messagerie, valable trente jours.",
            ),
        ],
        tools: &[
            (
                "create_quote",
                r#"{"article":"TX-204","metres":300}"#,
                Result(r#"{"quote":"D-10391","unitPrice":38.50,"total":11550,"validDays":30}"#),
            ),
            (
                "reserve_sample",
                r#"{"article":"TX-204","colours":["sable","ardoise"]}"#,
                Result(r#"{"reserved":true,"ships":"tomorrow"}"#),
            ),
        ],
        comments: &["Réponse très claire", "Devis reçu tout de suite"],
    },
    Script {
        turns: &[
            (
                "Compare the three vector databases on our shortlist for 20 million documents.",
                "On your own benchmark the second is fastest at 12 ms (p95), the first needs the least memory (31 GB), and the third is the only one with per-tenant isolation.",
            ),
            (
                "Isolation matters most to us. What does the third cost at that size?",
                "About 1,450 USD a month on three nodes with replicas. The first two are near 900 USD, but you would have to build the isolation yourself.",
            ),
            (
                "Which risks do you see?",
                "Its filter syntax changed twice last year, and backups are by node. I would pin the version and test a restore before the pilot.",
            ),
            (
                "Prepare a one-page recommendation.",
                "The page is in the shared folder: recommendation, figures with their sources, risks, and a pilot plan of four weeks.",
            ),
        ],
        tools: &[
            (
                "search",
                r#"{"query":"vector database benchmark filters multi tenant","limit":10}"#,
                Result(r#"{"hits":10,"best":["benchmark report","pricing page","release notes"]}"#),
            ),
            (
                "fetch_page",
                r#"{"url":"https://pricing.example.com"}"#,
                Error(r#"{"status":403,"message":"robots are not welcome"}"#),
            ),
            (
                "write_document",
                r#"{"title":"Vector database: recommendation"}"#,
                Result(r#"{"pages":1,"saved":true}"#),
            ),
        ],
        comments: &["Good sources", "Too long for a first answer", "The pilot plan helped"],
    },
    Script {
        turns: &[
            (
                "このエクスポートはなぜ空なのですか？",
                "日付の範囲が UTC のため、日本時間の今日はまだ含まれていません。タイムゾーンを Asia/Tokyo にすると 214 件あります。",
            ),
            (
                "設定しました。毎朝メールで受け取れますか？",
                "はい。毎朝 8 時に CSV を送る予定を作りました。宛先はあとから変更できます。",
            ),
            (
                "ありがとうございます。",
                "どういたしまして。ほかに何かあればお知らせください。",
            ),
        ],
        tools: &[
            ("export_preview", r#"{"timeZone":"UTC"}"#, Result(r#"{"rows":0}"#)),
            (
                "export_preview",
                r#"{"timeZone":"Asia/Tokyo"}"#,
                Result(r#"{"rows":214}"#),
            ),
            (
                "create_schedule",
                r#"{"at":"08:00","format":"csv"}"#,
                Result(r#"{"id":"sch_81","next":"tomorrow"}"#),
            ),
        ],
        comments: &["とても助かりました"],
    },
    Script {
        turns: &[
            (
                "I would like to book a demo for twelve people next week.",
                "Gladly. Wednesday at 10:00 or Thursday at 15:00 CET are free. Should it be about reporting or about the API?",
            ),
            (
                "Thursday, and please both: half our team are developers.",
                "Booked for Thursday 15:00 with Priya (reporting) and Tomás (API). The invitation has the link and an agenda you can change.",
            ),
            (
                "Do you have a customer in logistics we could talk to?",
                "Yes, a freight forwarder in Antwerp agreed to talk to prospects. I asked them, and will come back by tomorrow.",
            ),
            (
                "What about pricing for a year?",
                "For 80 seats the yearly plan is 25,600 EUR, two months less than paying monthly. The offer is attached to the invitation.",
            ),
        ],
        tools: &[
            (
                "calendar_free",
                r#"{"days":5,"minutes":60}"#,
                Result(r#"{"slots":["Wed 10:00","Thu 15:00"]}"#),
            ),
            (
                "calendar_book",
                r#"{"slot":"Thu 15:00","guests":12}"#,
                Result(r#"{"event":"evt_5521","link":"https://meet.example.com/5521"}"#),
            ),
        ],
        comments: &["Smooth booking", "Nice agenda", "Price came late"],
    },
    Script {
        turns: &[
            (
                "Review this pull request: it adds retries to the payment client.",
                "Two findings. A POST without an idempotency key may be sent twice, and the back-off has no upper limit. The tests cover neither.",
            ),
            (
                "How would you fix the first?",
                "Make the key once before the first try and send it with each. The provider keeps it for 24 hours, so a retry cannot charge twice.",
            ),
            (
                "And a test for it?",
                "Let the fake server drop the first answer after it has booked the payment, then assert that the second request carries the same key and that one payment exists.",
            ),
            (
                "Looks good, please push it as a suggestion.",
                "Pushed as two suggestions with tests. The build is green.",
            ),
        ],
        tools: &[
            (
                "git_diff",
                r#"{"pullRequest":1874}"#,
                Result(r#"{"files":4,"added":126,"removed":18}"#),
            ),
            (
                "run_tests",
                r#"{"filter":"payment_client"}"#,
                Error(r#"{"failed":["retry_sends_the_same_key"],"passed":41}"#),
            ),
            (
                "run_tests",
                r#"{"filter":"payment_client"}"#,
                Result(r#"{"failed":[],"passed":43,"seconds":19.4}"#),
            ),
        ],
        comments: &["Found a real bug", "Nitpicky but right", "Missed the time zone issue"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_stands_in_json_as_it_is_and_all_json_is_json() {
        for conversation in 0..SCRIPTS.len() as u64 {
            let script = script(conversation);
            let turns = script.turns.iter().flat_map(|(user, assistant)| [user, assistant]);
            for text in turns.chain(script.comments) {
                let quoted = format!("\"{text}\"");
                let read: serde_json::Result<String> = serde_json::from_str(&quoted);
                assert_eq!(read.ok().as_deref(), Some(*text));
            }
            for (tool, args, outcome) in script.tools {
                let (Result(outcome) | Error(outcome)) = outcome;
                for json in [args, outcome] {
                    assert!(
                        serde_json::from_str::<serde_json::Value>(json).is_ok(),
                        "{tool}: {json}"
                    );
                }
            }
        }
    }
}
