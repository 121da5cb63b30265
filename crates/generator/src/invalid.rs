//! Records that the contract refuses, one kind after the other: a valid message with one mistake.

/// Spoils a valid event; kind counts through all of them.
pub fn spoil(value: &mut Vec<u8>, kind: u64) {
    let replaced = |from: &str, to: &str| replace(value, from, to);
    let spoilt = match kind % KINDS {
        0 => b"{\"specversion\":\"1.0\",".to_vec(),
        1 => {
            let mut bytes = value.clone();
            let at = bytes.len() / 2;
            bytes.splice(at..at, [0xff, 0xfe]);
            bytes
        }
        2 => replaced("\"role\":\"", "\"role\":\"\\ud800"),
        3 => replaced("\"orgId\":\"", "\"orgId\":\"org_twice\",\"orgId\":\""),
        4 => replaced("\"messageId\":", "\"messageIdentifier\":"),
        5 => replaced("\"role\":\"", "\"attachmentCount\":\"three\",\"role\":\""),
        6 => replaced("\"conversationId\":\"", "\"conversationId\":\"\",\"was\":\""),
        7 => replaced(
            "\"role\":\"",
            &format!("\"userId\":\"{}\",\"role\":\"", "u".repeat(256)),
        ),
        8 => replaced("\"role\":\"", "\"attachmentCount\":-1,\"role\":\""),
        9 => replaced("\"role\":\"", "\"agentId\":9007199254740992,\"role\":\""),
        10 => replaced("\"time\":\"", "\"time\":\"yesterday, "),
        11 => replaced("\"createdAt\":\"", "\"createdAt\":\"1"),
        _ => replaced("\"conversationId\":\"", "\"conversationId\":\"\\u0000"),
    };
    *value = spoilt;
}

/// Kinds of invalid events made here.
pub const KINDS: u64 = 13;

fn replace(value: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(value).replacen(from, to, 1).into_bytes()
}
