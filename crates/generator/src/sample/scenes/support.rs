//! What customers ask.

use super::{
    Comments, SORRY, Scene, call,
    delegates::{CHECK_CHARGES, FIND_PARCEL},
    handing_on, risky, turn,
};
use crate::sample::cast::Role;

const ROLE: Role = Role::Support;

pub const SCENES: &[Scene] = &[
    Scene {
        role: ROLE,
        openings: &[
            "Where is my order {order}? It should have been here on {day}.",
            "Order {order} has not arrived. The app says it was delivered on {day}, but nobody rang.",
            "Hi, tracking for {order} has been stuck in {city} for three days now.",
        ],
        turns: &[
            handing_on(
                "",
                &[call(
                    "lookup_order",
                    r#"{"orderId":"{order}"}"#,
                    r#"{"orderId":"{order}","status":"in_transit","carrier":"DHL","items":[{"sku":"TX-204","quantity":2},{"sku":"LM-11","quantity":1}],"promised":"{day}"}"#,
                )],
                &FIND_PARCEL,
                "Order {order} left our warehouse in Rotterdam on time. The carrier scanned it this morning in {city}, so it should reach you tomorrow before noon.",
            ),
            turn(
                "Tomorrow is too late, I need it today. Can you change the delivery?",
                &[risky(
                    "redirect_parcel",
                    r#"{"orderId":"{order}","to":{"kind":"pick_up_point","place":"{city} main station"}}"#,
                    r#"{"accepted":true,"readyFrom":"18:00","code":"sent by e-mail"}"#,
                    r#"{"code":"carrier_refused","message":"the parcel is already out for delivery"}"#,
                )],
                "I have redirected it to the pick-up point at {city} main station, where it will be ready from 18:00 today. Bring the code I have just sent you and an identity card.",
            ),
            turn(
                "Will I get the shipping cost back?",
                &[risky(
                    "refund_payment",
                    r#"{"orderId":"{order}","amount":4.90,"currency":"EUR","reason":"late_delivery"}"#,
                    r#"{"refundId":"re_{order}","status":"succeeded","expectedWithinDays":3}"#,
                    r#"{"code":"payment_provider_timeout","message":"no answer within 30 s","retryAfterSeconds":30}"#,
                )],
                "Yes. Since it missed the promised day I have refunded the shipping cost of 4.90 EUR. It is on your card within three working days.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Quick and friendly, got my parcel the same day.",
                "It knew where my parcel was before the carrier did.",
                "Solved without a phone call!",
            ],
            displeased: &[
                "I had to ask twice before it checked anything.",
                "The refund never arrived.",
                "Nice words, but my parcel is still lost.",
            ],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Our invoice {invoice} lists {seats} seats, but we are fewer people than that.",
            "Why were we charged {amount} EUR in {month}? Last month it was less.",
            "I do not understand invoice {invoice}. Can somebody explain the second line?",
        ],
        turns: &[
            handing_on(
                "",
                &[call(
                    "get_invoice",
                    r#"{"invoice":"{invoice}"}"#,
                    r#"{"invoice":"{invoice}","month":"{month}","seats":{seats},"unitPrice":29,"currency":"EUR","status":"paid"}"#,
                )],
                &CHECK_CHARGES,
                "You are right: four accounts were deactivated at the beginning of {month}, one day after the invoice was made. I have opened a correction for four seats.",
            ),
            turn(
                "Do we get the money back, or is it taken off the next invoice?",
                &[],
                "It is credited on the next invoice, 4 x 29 EUR = 116 EUR. If you prefer a transfer, I can pass that on to accounting.",
            ),
            turn(
                "A credit is fine. Can you also add our VAT number? DE811569869.",
                &[risky(
                    "validate_vat",
                    r#"{"number":"DE811569869"}"#,
                    r#"{"valid":true,"name":"{company} GmbH","checkedWith":"VIES"}"#,
                    r#"{"code":"MS_UNAVAILABLE","message":"the member state's service does not answer"}"#,
                )],
                "Done. The number was checked with VIES and stands on all invoices from now on. You find the corrected one in your account.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Solved in one chat.",
                "Finally somebody who can read an invoice.",
                "Fair and fast.",
            ],
            displeased: &[
                "The credit note was missing at first.",
                "Had to explain our contract to a machine.",
            ],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "I cannot log in since this morning. It says my account is locked.",
            "Locked out again. Third time this week, can you please fix it for good?",
        ],
        turns: &[
            turn(
                "",
                &[
                    call(
                        "find_account",
                        r#"{"by":"session"}"#,
                        r#"{"account":"acc_{order}","state":"locked","since":"06:12","failedSignIns":7}"#,
                    ),
                    call(
                        "list_sign_ins",
                        r#"{"account":"acc_{order}","limit":5}"#,
                        r#"{"signIns":[{"from":"{city}","ok":true},{"from":"unknown","ok":false},{"from":"unknown","ok":false}]}"#,
                    ),
                ],
                "Somebody tried seven wrong passwords from a place you have never signed in from, so the account locked itself. Nobody got in. I have unlocked it and ended all other sessions.",
            ),
            turn(
                "Should I be worried?",
                &[],
                "No, but use a new password and turn on a second factor under Settings, Security. Then a guessed password is worth nothing.",
            ),
            turn(
                "Okay, where do I find the backup codes?",
                &[],
                "On the same page, below the second factor. Print them or keep them in a password manager; each works once.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "Explained what happened instead of just resetting my password.",
                "Felt taken seriously.",
            ],
            displeased: &["Locked again the next morning."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "How do I cancel my subscription?",
            "Please cancel everything and delete my data.",
            "We are closing our office in {city} and need to end the contract.",
        ],
        turns: &[
            turn(
                "",
                &[call(
                    "get_subscription",
                    r#"{"include":["plan","renewal"]}"#,
                    r#"{"plan":"pro","seats":{seats},"renewsOn":"the 1st of {month}","noticeDays":30}"#,
                )],
                "I can do that for you. Your plan renews on the 1st of {month}; if you cancel now it ends then, and you keep full access until that day. Shall I?",
            ),
            turn(
                "Yes. And what happens to our data?",
                &[risky(
                    "cancel_subscription",
                    r#"{"at":"period_end","reason":"customer_request"}"#,
                    r#"{"status":"cancels_at_period_end","confirmation":"CX-{order}"}"#,
                    r#"{"code":"open_invoice","message":"invoice {invoice} is not paid yet"}"#,
                )],
                "It is cancelled, confirmation CX-{order}. Data stays for thirty days in case you change your mind, then it is deleted for good. An export of everything is under Settings, Data.",
            ),
        ],
        comments: Comments {
            pleased: &[
                "No tricks, no hidden buttons. Thank you.",
                "Easy to leave, might come back.",
            ],
            displeased: &["Should be one click in the settings."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "The jacket from order {order} is too small. Can I swap it for an L?",
            "I would like to return two things from order {order}.",
        ],
        turns: &[
            turn(
                "",
                &[
                    call(
                        "lookup_order",
                        r#"{"orderId":"{order}"}"#,
                        r#"{"orderId":"{order}","status":"delivered","items":[{"sku":"JK-88","size":"M"},{"sku":"BT-04","size":"42"}]}"#,
                    ),
                    risky(
                        "check_stock",
                        r#"{"sku":"JK-88","size":"L"}"#,
                        r#"{"available":14,"warehouse":"Rotterdam"}"#,
                        r#"{"code":"warehouse_offline","warehouse":"Rotterdam"}"#,
                    ),
                ],
                "An L is in stock. I have reserved one for you, and the label for the way back is in your mailbox. We send the new one as soon as the parcel is scanned.",
            ),
            turn(
                "Do I have to print the label?",
                &[],
                "No, show the QR code in the mail at any parcel shop and they print it.",
            ),
        ],
        comments: Comments {
            pleased: &["Loved that it reserved the size for me.", "Two minutes and done."],
            displeased: &[
                "The shop could not read the code.",
                "Asked for the order number I had just given.",
            ],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "The export has been running for two hours. Is it broken?",
            "My CSV has only half the rows, and umlauts look wrong in Excel.",
        ],
        turns: &[
            turn(
                "",
                &[risky(
                    "export_status",
                    r#"{"latest":true}"#,
                    r#"{"export":"ex_{order}","state":"running","rows":184000,"of":412000}"#,
                    r#"{"code":"not_found","message":"the export has expired"}"#,
                )],
                "It is running: 184,000 of 412,000 rows are written. Large ones take their time in the morning, when everybody exports. You get a mail when it is ready.",
            ),
            turn(
                "And how do I open it in Excel properly?",
                &[],
                "Choose CSV for Excel in the export dialog: it begins with a mark that tells Excel the encoding. Columns with formulas are escaped, so nothing runs by accident.",
            ),
        ],
        comments: Comments {
            pleased: &["The Excel tip saved my morning."],
            displeased: &["It should not take hours.", "Told me to wait. I knew that already."],
        },
        sorry: SORRY,
    },
    Scene {
        role: ROLE,
        openings: &[
            "Wie kann ich mein Passwort zurücksetzen? Die Mail kommt nicht an.",
            "Ich bekomme keine Mails von Ihnen, auch nicht im Spam-Ordner.",
        ],
        turns: &[
            turn(
                "",
                &[risky(
                    "mail_log",
                    r#"{"kind":"password_reset","hours":24}"#,
                    r#"{"sent":2,"delivered":2,"folder":"promotions"}"#,
                    r#"{"code":"rate_limited","retryAfterSeconds":60}"#,
                )],
                "Die Mail wurde vor vier Minuten zugestellt, liegt aber vermutlich im Ordner für Werbung. Ich habe sie noch einmal geschickt, der Link gilt eine Stunde.",
            ),
            turn(
                "Jetzt ist sie da, danke. Kann ich auch einen zweiten Faktor einrichten?",
                &[],
                "Ja, unter Einstellungen, Sicherheit. Eine Authenticator-App oder ein Sicherheitsschlüssel gehen beide; bitte drucken Sie die Ersatzcodes aus.",
            ),
            turn(
                "Was passiert, wenn ich mein Handy verliere?",
                &[],
                "Mit einem Ersatzcode kommen Sie hinein und können das alte Gerät entfernen. Ohne Code prüft unser Team Ihre Identität, das dauert einen Werktag.",
            ),
        ],
        comments: Comments {
            pleased: &["Sehr hilfreich und schnell.", "Endlich eine klare Antwort."],
            displeased: &["Die Mail kam trotzdem nicht an."],
        },
        sorry: "Leider antwortet gerade eines unserer Systeme nicht. Ich habe Ihr Anliegen notiert, ein Kollege meldet sich heute noch.",
    },
    Scene {
        role: ROLE,
        openings: &[
            "Wo bleibt meine Bestellung {order}?",
            "Bestellung {order} ist beschädigt angekommen, der Karton war offen.",
        ],
        turns: &[
            handing_on(
                "",
                &[call(
                    "lookup_order",
                    r#"{"orderId":"{order}"}"#,
                    r#"{"orderId":"{order}","status":"in_transit","carrier":"Hermes"}"#,
                )],
                &FIND_PARCEL,
                "Ich habe Ihre Bestellung {order} gefunden. Das Paket wurde heute früh in {city} gescannt; sollte etwas fehlen oder beschädigt sein, ersetzen wir es sofort.",
            ),
            turn(
                "Muss ich dafür Fotos schicken?",
                &[],
                "Ein Foto vom Karton reicht. Sie können es hier hochladen, den Rest erledige ich mit dem Paketdienst.",
            ),
        ],
        comments: Comments {
            pleased: &["Unkompliziert, danke!", "So stelle ich mir Kundendienst vor."],
            displeased: &["Warte seit einer Woche auf den Ersatz."],
        },
        sorry: "Leider antwortet gerade eines unserer Systeme nicht. Ich habe Ihr Anliegen notiert, ein Kollege meldet sich heute noch.",
    },
    Scene {
        role: ROLE,
        openings: &[
            "¿Puedo cambiar la dirección de entrega del pedido {order}?",
            "El pedido {order} llegó incompleto, falta una lámpara.",
        ],
        turns: &[
            turn(
                "",
                &[risky(
                    "lookup_order",
                    r#"{"orderId":"{order}"}"#,
                    r#"{"orderId":"{order}","status":"packed","items":[{"sku":"LM-11","quantity":2}],"canChangeAddress":true}"#,
                    r#"{"code":"timeout","service":"orders"}"#,
                )],
                "Claro. El pedido {order} todavía está en nuestro almacén, así que puedo cambiarlo ahora mismo. ¿Cuál es la nueva dirección?",
            ),
            turn(
                "Calle Mayor 14, 28013 Madrid.",
                &[call(
                    "change_address",
                    r#"{"orderId":"{order}","address":"Calle Mayor 14, 28013 Madrid"}"#,
                    r#"{"changed":true}"#,
                )],
                "Hecho. Recibirá el paquete en dos días en la nueva dirección, sin coste adicional.",
            ),
        ],
        comments: Comments {
            pleased: &["Muy amable y rápido.", "Perfecto, gracias."],
            displeased: &["Tuve que repetir la dirección tres veces."],
        },
        sorry: "Lo siento, uno de nuestros sistemas no responde. He anotado su solicitud y un compañero le escribirá hoy.",
    },
    Scene {
        role: ROLE,
        openings: &[
            "このエクスポートはなぜ空なのですか？",
            "昨日から通知メールが届きません。",
        ],
        turns: &[
            turn(
                "",
                &[
                    call("export_preview", r#"{"timeZone":"UTC"}"#, r#"{"rows":0}"#),
                    call("export_preview", r#"{"timeZone":"Asia/Tokyo"}"#, r#"{"rows":214}"#),
                ],
                "日付の範囲が UTC のため、日本時間の今日はまだ含まれていません。タイムゾーンを Asia/Tokyo にすると 214 件あります。",
            ),
            turn(
                "設定しました。毎朝メールで受け取れますか？",
                &[risky(
                    "create_schedule",
                    r#"{"at":"08:00","format":"csv"}"#,
                    r#"{"id":"sch_{seats}","next":"tomorrow"}"#,
                    r#"{"code":"quota","message":"10 schedules at most"}"#,
                )],
                "はい。毎朝 8 時に CSV を送る予定を作りました。宛先はあとから変更できます。",
            ),
        ],
        comments: Comments {
            pleased: &["とても助かりました。", "説明がわかりやすいです。"],
            displeased: &["回答が少し遅かったです。"],
        },
        sorry: "申し訳ありません。現在システムの一部が応答していません。本日中に担当者からご連絡いたします。",
    },
];
