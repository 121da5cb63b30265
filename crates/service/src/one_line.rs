//! Foreign text on one line of a terminal or a log.

use std::fmt::{self, Write as _};

/// Shows text with everything escaped that would begin another line, move the cursor or turn the direction around.
#[derive(Debug, Clone, Copy)]
pub struct OneLine<'t>(pub &'t str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if breaks(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Control characters, line and paragraph separators, and the formatting characters of Unicode's bidirectional algorithm.
fn breaks(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::OneLine;

    #[test]
    fn what_breaks_a_line_is_escaped_and_nothing_else() {
        let text = "a\nb\u{2028}c\u{85}d\u{1b}[2Je\u{202e}f";
        assert_eq!(
            OneLine(text).to_string(),
            "a\\nb\\u{2028}c\\u{85}d\\u{1b}[2Je\\u{202e}f"
        );
        for text in ["größer 🙂 漢字 \\ \" '", ""] {
            assert_eq!(OneLine(text).to_string(), text);
        }
    }
}
