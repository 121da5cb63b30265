//! `RECAP_KAFKA_OPTIONS_FILE`: Java properties, as Kafka's own tools read them by `--command-config`.

use std::{fs::File, io::BufReader, path::Path};

use java_properties::{LineContent, PropertiesIter};

use super::{
    Entry, Origin,
    java::{self, NAME},
};

/// The options of a file, in UTF-8. Names that only Kafka's Java clients have are translated where librdkafka has the same thing
/// by another name.
pub(super) fn read(path: &Path, mistakes: &mut Vec<String>) -> Vec<Entry> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            mistakes.push(format!("{NAME}: {}: {error}", path.display()));
            return Vec::new();
        }
    };
    let mut properties = java::Properties::new();
    for line in PropertiesIter::new_with_encoding(BufReader::new(file), encoding_rs::UTF_8) {
        // The parser's own message may quote the line.
        let Ok(line) = line else {
            mistakes.push(format!(
                "{NAME}: {} is not a Java properties file in UTF-8",
                path.display()
            ));
            return Vec::new();
        };
        if let LineContent::KVPair(name, value) = line.consume_content() {
            properties.insert(name, value);
        }
    }
    java::translate(properties, mistakes)
        .into_iter()
        .map(|(key, value)| Entry {
            origin: Origin::File(key.clone()),
            key,
            value: value.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read_text(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut mistakes = Vec::new();
        let entries = read(file.path(), &mut mistakes).into_iter();
        let entries = entries.map(|entry| (entry.key, entry.value.expose_secret().to_owned()));
        (entries.collect(), mistakes)
    }

    #[test]
    fn comments_continuations_escapes_and_every_separator_are_javas() {
        let (options, mistakes) = read_text(
            "# a comment\n! another\n\nsasl.username=us\\\n   er\nsasl.password : pa,ss\\u0020wörd=\nclient.rack eu-1\n",
        );
        let expected = [
            ("client.rack", "eu-1"),
            ("sasl.password", "pa,ss wörd="),
            ("sasl.username", "user"),
        ];
        assert_eq!(options, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn a_file_that_is_not_there_or_not_properties_is_named_and_not_quoted() {
        let mut mistakes = Vec::new();
        read(Path::new("/no/such/file"), &mut mistakes);
        assert!(
            mistakes[0].contains("RECAP_KAFKA_OPTIONS_FILE: /no/such/file: "),
            "{mistakes:?}"
        );
        let (_, mistakes) = read_text("sasl.password=hunter2\\u00zz");
        assert!(mistakes.len() == 1 && !mistakes[0].contains("hunter2"), "{mistakes:?}");
    }
}
