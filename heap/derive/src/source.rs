//! Tokens as a person writes them.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// The text of an expression, with the spaces that people put: it is stored, printed and compared, so it may not
/// depend on how the compiler prints tokens.
pub(crate) fn text(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut after_word = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace if after_word => (" { ", " }"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                text.push_str(&self::text(group.stream()));
                text.push_str(close);
                after_word = false;
            }
            TokenTree::Punct(punct) => {
                text.push(punct.as_char());
                // The first `:` of `::` is joint, and a space belongs behind a lone one only.
                let lone_colon = punct.as_char() == ':' && punct.spacing() == Spacing::Alone && !text.ends_with("::");
                if matches!(punct.as_char(), ',' | ';') || lone_colon {
                    text.push(' ');
                }
                after_word = false;
            }
            word => {
                if after_word {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
                after_word = true;
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_is_as_people_write_it() {
        for source in ["-1", "Kind::Open", "[0; 16]", "Position { x: 0, y: -1.5 }", "\"none\"", "None", "Some(3)"] {
            assert_eq!(text(source.parse().unwrap()), source);
        }
        assert_eq!(text("Kind  ::  Open".parse().unwrap()), "Kind::Open");
    }
}
