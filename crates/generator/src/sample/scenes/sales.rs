//! What buyers ask, and colleagues who sell.

use super::{
    Comments, SORRY, Scene, call,
    delegates::{RESEARCH_COMPANY, WRITE_QUOTE},
    handing_on, risky, turn,
};
use crate::sample::cast::Role;

const ROLE: Role = Role::Sales;

pub const SCENES: &[Scene] = &[
    Scene {
        role: ROLE,
        openings: &[
            "Summarize last quarter’s revenue by region, with the change against the year before.",
            "How did {city} do last quarter compared to the plan?",
            "Revenue by region for the board deck, please. One sentence each.",
        ],
        turns: &[
            turn(
                "",
                &[risky(
                    "run_sql",
                    r#"{"query":"select region, sum(amount) from revenue where quarter = 'Q4' group by region"}"#,
                    r#"{"columns":["region","millions"],"rows":[["EMEA",41.5],["NA",38.2],["APAC",17.0],["LATAM",6.1]],"milliseconds":412}"#,
                    r#"{"code":"57014","message":"canceling statement due to statement timeout"}"#,
                )],
                "EMEA leads with 41.5M (+12%), then North America with 38.2M (+4%) and APAC with 17.0M (+31%). LATAM fell by 3% to 6.1M, all of it in Brazil.",
            ),
            turn(
                "What happened in Brazil?",
                &[call(
                    "crm_search",
                    r#"{"country":"BR","changed":"churned"}"#,
                    r#"{"accounts":[{"name":"{company}","ended":"November","perYear":410000},{"name":"Vila Real","ended":"November","perYear":265000}]}"#,
                )],
                "Two enterprise contracts ended in November and were not renewed. Without them Brazil would have grown by 9%.",
            ),
            turn(
                "Which accounts are up for renewal next quarter?",
                &[risky(
                    "crm_search",
                    r#"{"segment":"renewal","minimum":100000}"#,
                    r#"{"accounts":["{company}","Acme Logistics","Vila Real"],"total":11}"#,
                    r#"{"code":"INVALID_SESSION_ID","message":"session expired"}"#,
                )],
                "Eleven above 100k. Three of them used the product less than once a week since January: {company}, Acme Logistics and Vila Real. I would call those first.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Exactly what I needed for the board.",
                "Numbers match the warehouse.",
                "Better than the weekly report.",
            ],
            displeased: &["A chart would have been nice.", "APAC is wrong, it misses Singapore."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "I would like to book a demo for {seats} people next week.",
            "Can we see the product before {month}? We are three developers and a manager.",
        ],
        turns: &[
            turn(
                "",
                &[call(
                    "calendar_free",
                    r#"{"days":5,"minutes":60}"#,
                    r#"{"slots":["Wed 10:00","Thu 15:00"],"zone":"Europe/Berlin"}"#,
                )],
                "Gladly. Wednesday at 10:00 or Thursday at 15:00 are free. Should it be about reporting or about the API?",
            ),
            turn(
                "Thursday, and please both: half our team are developers.",
                &[risky(
                    "calendar_book",
                    r#"{"slot":"Thu 15:00","guests":{seats}}"#,
                    r#"{"event":"evt_{order}","link":"https://meet.example.com/{order}"}"#,
                    r#"{"code":"slot_taken","message":"somebody was faster"}"#,
                )],
                "Booked for Thursday 15:00 with Priya (reporting) and Tomás (API). The invitation has the link and an agenda you can change.",
            ),
            turn(
                "Do you have a customer in logistics we could talk to?",
                &[],
                "Yes, a freight forwarder in Antwerp agreed to talk to prospects. I asked them, and will come back by tomorrow.",
            ),
        ],
        comments: Comments {
            pleased: &["Smooth booking.", "Asked the right question before booking."],
            displeased: &["The link did not work for guests."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "What would {seats} seats cost us for a year?",
            "We need an offer for {company}, {seats} seats, with single sign-on.",
            "Is there a discount for schools? We are about {seats} teachers.",
        ],
        turns: &[
            handing_on(
                "",
                &[call(
                    "price_list",
                    r#"{"plan":"business","seats":{seats}}"#,
                    r#"{"perSeatMonthly":32,"yearlyFreeMonths":2,"currency":"EUR"}"#,
                )],
                &WRITE_QUOTE,
                "For {seats} seats the yearly plan costs two months less than paying monthly. The offer has single sign-on and support in it; it is on its way to you.",
            ),
            turn(
                "Can we pay by invoice, in two parts?",
                &[],
                "By invoice yes, in two parts from 20,000 EUR on. I have added that as an option; you choose when you sign.",
            ),
        ],
        comments: Comments {
            pleased: &["Had the offer before the call was over.", "Clear pricing, finally."],
            displeased: &["The price came late.", "Did not know about our old discount."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Prepare me for the call with {company} tomorrow.",
            "Who is {company}, and why did they open our last three mails?",
        ],
        turns: &[
            handing_on(
                "",
                &[risky(
                    "crm_account",
                    r#"{"name":"{company}"}"#,
                    r#"{"name":"{company}","stage":"evaluation","owner":"Priya","lastContact":"{day}","opportunity":84000}"#,
                    r#"{"code":"DUPLICATES_DETECTED","matches":3}"#,
                )],
                &RESEARCH_COMPANY,
                "{company} runs 40 warehouses and has just moved to one carrier. They evaluate us against two others; what they ask about is audit logs and the API limit. Their CTO decides, their head of operations pays.",
            ),
            turn(
                "What should I not say?",
                &[],
                "Leave out the old connector: their last provider failed with it. And do not promise the Polish interface before {month}.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Best call preparation I ever had.",
                "The hint about the connector was gold.",
            ],
            displeased: &["Confused them with a company of the same name."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Draft a mail to the owner of {company}: we have not heard from them in weeks.",
            "Write a friendly reminder for the open offer at {company}.",
        ],
        turns: &[
            turn(
                "",
                &[call(
                    "crm_timeline",
                    r#"{"account":"{company}","limit":10}"#,
                    r#"{"events":[{"kind":"demo","when":"three weeks ago"},{"kind":"mail","opened":true}]}"#,
                )],
                "Here is a draft: thank them for the demo, name the two questions that stayed open, and offer fifteen minutes with our solution engineer on {day}.",
            ),
            turn(
                "Shorter, and less formal.",
                &[],
                "Three sentences now: hello, the one thing they liked in the demo, and a question they can answer with yes or no.",
            ),
            turn(
                "Send it.",
                &[risky(
                    "send_mail",
                    r#"{"to":"owner@{company}","template":null}"#,
                    r#"{"queued":true,"messageId":"m-{order}"}"#,
                    r#"{"code":"mailbox_full","bounced":true}"#,
                )],
                "Sent. I will remind you on {day} if nobody answers.",
            ),
        ],
        comments: Comments {
            pleased: &["They answered within an hour.", "Sounds like me, only awake."],
            displeased: &["Too many exclamation marks."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Quel est le délai pour un échantillon du nouveau tissu ?",
            "Pouvez-vous me faire un devis pour {seats} mètres de TX-204 ?",
        ],
        turns: &[
            turn(
                "",
                &[risky(
                    "reserve_sample",
                    r#"{"article":"TX-204","colours":["sable","ardoise"]}"#,
                    r#"{"reserved":true,"ships":"tomorrow"}"#,
                    r#"{"code":"out_of_stock","article":"TX-204"}"#,
                )],
                "Trois jours ouvrés vers la France. Je peux joindre les coloris sable et ardoise, les plus demandés par les architectes.",
            ),
            turn(
                "Parfait. Est-il résistant au feu pour un hôtel ?",
                &[],
                "Oui, il est classé M1 et EN 1021. J’ajoute les certificats à l’envoi.",
            ),
            turn(
                "Et le prix pour 300 mètres ?",
                &[call(
                    "create_quote",
                    r#"{"article":"TX-204","metres":300}"#,
                    r#"{"quote":"D-{order}","unitPrice":38.50,"total":11550,"validDays":30}"#,
                )],
                "38,50 EUR le mètre à partir de 250 mètres, livraison comprise. Le devis est dans votre messagerie, valable trente jours.",
            ),
        ],
        comments: Comments {
            pleased: &["Réponse très claire.", "Devis reçu tout de suite."],
            displeased: &["Le devis ne tient pas compte de notre remise."],
        },
        sorry: "Je suis désolé, un de nos systèmes ne répond pas. Votre demande est notée, un collègue vous écrira aujourd’hui.",
    },
    Scene {
        role: ROLE,
        openings: &[
            "Vocês entregam em {city}? Precisamos de {seats} unidades até o fim do mês.",
            "Qual é o prazo de pagamento para revendedores?",
        ],
        turns: &[
            turn(
                "",
                &[call(
                    "shipping_options",
                    r#"{"to":"{city}","units":{seats}}"#,
                    r#"{"days":9,"cost":180,"currency":"EUR"}"#,
                )],
                "Entregamos, sim: nove dias úteis, e o frete custa 180 EUR para essa quantidade. Posso reservar o estoque até amanhã.",
            ),
            turn(
                "Reserve, por favor.",
                &[risky(
                    "reserve_stock",
                    r#"{"units":{seats}}"#,
                    r#"{"reservation":"rs_{order}"}"#,
                    r#"{"code":"partial","available":12}"#,
                )],
                "Reservado. Enviei a confirmação para o seu e-mail.",
            ),
        ],
        comments: Comments {
            pleased: &["Atendimento excelente.", "Rápido e claro."],
            displeased: &["O frete mudou depois da reserva."],
        },
        sorry: "Desculpe, um dos nossos sistemas não está respondendo. Anotei o seu pedido e um colega responde ainda hoje.",
    },
];
