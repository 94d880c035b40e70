//! Strings of a heap on a terminal. A heap may come from anybody: what it holds must not move the cursor, hide text
//! or reverse its order.

/// Characters without a mark on the screen that count as letters or marks, so that nothing else catches them.
const BLANK: [char; 7] = ['\u{34f}', '\u{115f}', '\u{1160}', '\u{17b4}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// The text with every character that could not be seen as itself written as an escape. Backslashes stay, so this
/// is for reading only.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        push_visible(&mut shown, character);
    }
    shown
}

/// At most `most` characters of the text in double quotes, escaped so that no two texts look alike; `…` behind the
/// quotes says that there is more.
pub(crate) fn quoted(text: &str, most: usize) -> String {
    let mut shown = String::from('"');
    let mut characters = text.chars();
    for character in characters.by_ref().take(most) {
        match character {
            '"' | '\\' => shown.extend(['\\', character]),
            _ => push_visible(&mut shown, character),
        }
    }
    shown.push('"');
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

fn push_visible(shown: &mut String, character: char) {
    if is_visible(character) {
        shown.push(character);
    } else {
        let escaped = character.escape_debug();
        // To the standard library, blank letters are letters.
        if escaped.len() == 1 { shown.extend(character.escape_unicode()) } else { shown.extend(escaped) }
    }
}

/// Would a reader see the character, and see it where it is? Combining marks count as seen.
pub(crate) fn is_visible(character: char) -> bool {
    let selector = matches!(character, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    if selector || BLANK.contains(&character) {
        return false;
    }
    if matches!(character, '"' | '\'' | '\\') {
        return true;
    }
    // Behind a letter, combining marks are text like any other; only `str` makes that difference.
    let mut pair = [b'a', 0, 0, 0, 0];
    let len = 1 + character.encode_utf8(&mut pair[1..]).len();
    std::str::from_utf8(&pair[..len]).is_ok_and(|pair| pair.escape_debug().skip(1).eq([character]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_hides_or_reverses_is_escaped() {
        let hostile = [
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\rb\n\t\0", "a\\rb\\n\\t\\0"),
            ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
            ("\u{202e}\u{2066}\u{200f}", "\\u{202e}\\u{2066}\\u{200f}"),
            ("\u{200b}\u{200d}\u{feff}\u{2060}", "\\u{200b}\\u{200d}\\u{feff}\\u{2060}"),
            ("\u{ad}\u{e0041}\u{fe0f}\u{3164}", "\\u{ad}\\u{e0041}\\u{fe0f}\\u{3164}"),
            ("\u{2028}\u{a0}\u{3000}", "\\u{2028}\\u{a0}\\u{3000}"),
            ("\u{e000}", "\\u{e000}"),
        ];
        for (text, expected) in hostile {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn readable_text_stays() {
        for text in ["node-00017", "Grüße, Ωμέγα", "देवनागरी", "漢字 🙂", "e\u{301}", "it's \"so\" a\\b"]
        {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn no_control_or_format_character_gets_through() {
        for character in '\0'..='\u{10ffff}' {
            let shown = quoted(&character.to_string(), 1);
            assert!(!shown.chars().any(char::is_control), "{character:?}");
            assert!(shown.chars().all(is_visible), "{character:?}");
        }
    }

    #[test]
    fn quoted_texts_are_cut_by_characters_and_told_apart() {
        assert_eq!(quoted("äöü", 3), "\"äöü\"");
        assert_eq!(quoted("äöüß", 3), "\"äöü\"…");
        assert_eq!(quoted("", 0), "\"\"");
        assert_eq!(quoted("a\"b\\n", 9), "\"a\\\"b\\\\n\"");
        assert_ne!(quoted("\\n", 9), quoted("\n", 9));
    }
}
