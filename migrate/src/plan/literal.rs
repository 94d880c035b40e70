//! Defaults: the source text of a literal, as a value of a field's shape.

use super::bytes::Facts;
use super::model::Value;
use crate::layout::{MAX_SIZE, TypeIndex};
use crate::schema::{Body, Float, Integer, Shape};

/// The longest source text that is read, in bytes.
const MAX_SOURCE: usize = 1 << 20;

/// Reads `7`, `-1.5`, `"abc"`, `true`, `'x'`, `None`, `Some(3)`, `[0; 4]`, `Kind::Open`, `u32::MAX` and the like.
///
/// # Errors
/// Why it is no value of the shape.
pub(super) fn parse(source: &str, shape: &Shape, index: &TypeIndex<'_>, facts: &Facts) -> Result<Value, String> {
    if source.len() > MAX_SOURCE {
        return Err("it is too long".into());
    }
    let tokens = tokens(source)?;
    let mut parser = Parser { tokens: &tokens, index, facts };
    let value = parser.value(shape)?;
    match parser.tokens {
        [] => Ok(value),
        [next, ..] => Err(format!("{} is too much", next.shown())),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Names with `::` between them.
    Path(Vec<String>),
    /// Digits without `_`, and the suffix that names a type.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    Char(char),
    Byte(u8),
    Sign(char),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Path(names) => names.join("::"),
            Self::Number(digits) => digits.clone(),
            Self::Text(_) => "a text".into(),
            Self::Bytes(_) => "a byte text".into(),
            Self::Char(_) | Self::Byte(_) => "a char".into(),
            Self::Sign(sign) => format!("`{sign}`"),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    index: &'a TypeIndex<'a>,
    facts: &'a Facts,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Token, String> {
        let (first, rest) = self.tokens.split_first().ok_or("it ends too early")?;
        self.tokens = rest;
        Ok(first.clone())
    }

    fn takes(&mut self, sign: char) -> bool {
        let takes = self.tokens.first() == Some(&Token::Sign(sign));
        if takes {
            self.tokens = &self.tokens[1..];
        }
        takes
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(format!("`{sign}` is missing")) }
    }

    /// The recursion is that of the shape.
    fn value(&mut self, shape: &Shape) -> Result<Value, String> {
        if self.is_default_call() {
            return if self.facts.shape_has_empty(self.index, shape) {
                Ok(Value::Empty)
            } else {
                Err("it has no empty value".into())
            };
        }
        match shape {
            Shape::Integer(integer) => self.integer(*integer),
            Shape::Float(float) => self.float(*float),
            Shape::Bool => match self.next()? {
                Token::Path(names) if names == ["true"] => Ok(Value::Bool(true)),
                Token::Path(names) if names == ["false"] => Ok(Value::Bool(false)),
                other => Err(format!("{} is no bool", other.shown())),
            },
            Shape::Char => match self.next()? {
                Token::Char(letter) => Ok(Value::Char(letter)),
                other => Err(format!("{} is no char", other.shown())),
            },
            Shape::Text => self.text(),
            Shape::Bytes => match self.next()? {
                Token::Bytes(bytes) if bytes.is_empty() => Ok(Value::Empty),
                Token::Sign('[') if self.takes(']') => Ok(Value::Empty),
                _ => Err("bytes can only be empty".into()),
            },
            Shape::List(_) | Shape::Map { .. } | Shape::SortedMap { .. } => {
                // `[]` or `vec![]`.
                if self.tokens.first() == Some(&Token::Path(vec!["vec".into()])) {
                    self.next()?;
                    self.expect('!')?;
                }
                if self.takes('[') && self.takes(']') {
                    Ok(Value::Empty)
                } else {
                    Err("lists and maps can only be empty".into())
                }
            }
            Shape::Option { inner, .. } => self.option(inner),
            Shape::Array { element, count } => self.array(element, *count),
            Shape::Inline(name) => self.variant(name),
            Shape::Reference(_) => Err("no literal names a record".into()),
        }
    }

    /// `Default::default()`, `Kind::default()`, `String::new()`: the empty value.
    fn is_default_call(&mut self) -> bool {
        let [Token::Path(names), Token::Sign('('), Token::Sign(')'), ..] = self.tokens else { return false };
        let is_empty = names.len() > 1 && names.last().is_some_and(|name| name == "default" || name == "new");
        if is_empty {
            self.tokens = &self.tokens[3..];
        }
        is_empty
    }

    fn integer(&mut self, integer: Integer) -> Result<Value, String> {
        let negative = self.takes('-');
        let token = self.next()?;
        let (least, most) = range(integer);
        let magnitude = match &token {
            Token::Byte(byte) => u128::from(*byte),
            Token::Number(text) => whole(text, &integer.to_string())?,
            Token::Path(names) => {
                let [.., kind, constant] = &names[..] else { return Err(format!("{} is no integer", token.shown())) };
                let kind = known_integer(kind).ok_or_else(|| format!("{} is not known", token.shown()))?;
                match &**constant {
                    "MAX" => range(kind).1,
                    "MIN" if !negative => return in_range(true, range(kind).0, least, most),
                    _ => return Err(format!("{} is not known", token.shown())),
                }
            }
            _ => return Err(format!("{} is no integer", token.shown())),
        };
        in_range(negative, magnitude, least, most)
    }

    fn float(&mut self, float: Float) -> Result<Value, String> {
        let negative = self.takes('-');
        let token = self.next()?;
        let value = match &token {
            Token::Number(text) => {
                let digits = text.strip_suffix(&float.to_string()).unwrap_or(text);
                digits.parse::<f64>().map_err(|_| format!("{text} is no {float}"))?
            }
            Token::Path(names) => {
                let name = names.last().map_or("", |name| name);
                let narrow = float.width == 4;
                match name {
                    "NAN" => f64::NAN,
                    "INFINITY" => f64::INFINITY,
                    "NEG_INFINITY" => f64::NEG_INFINITY,
                    "MAX" if narrow => f32::MAX.into(),
                    "MIN" if narrow => f32::MIN.into(),
                    "EPSILON" if narrow => f32::EPSILON.into(),
                    "MIN_POSITIVE" if narrow => f32::MIN_POSITIVE.into(),
                    "MAX" => f64::MAX,
                    "MIN" => f64::MIN,
                    "EPSILON" => f64::EPSILON,
                    "MIN_POSITIVE" => f64::MIN_POSITIVE,
                    "PI" => std::f64::consts::PI,
                    "TAU" => std::f64::consts::TAU,
                    "E" => std::f64::consts::E,
                    _ => return Err(format!("{} is not known", token.shown())),
                }
            }
            _ => return Err(format!("{} is no {float}", token.shown())),
        };
        Ok(Value::Float(if negative { -value } else { value }))
    }

    fn text(&mut self) -> Result<Value, String> {
        let wrapped = match self.tokens {
            [Token::Path(names), Token::Sign('('), ..] if names.last().is_some_and(|name| name == "from") => {
                self.tokens = &self.tokens[2..];
                true
            }
            _ => false,
        };
        let Token::Text(text) = self.next()? else { return Err("it is no text".into()) };
        if wrapped {
            self.expect(')')?;
        } else if let [Token::Sign('.'), Token::Path(names), Token::Sign('('), Token::Sign(')'), rest @ ..] =
            self.tokens
        {
            let [name] = &names[..] else { return Err(format!("{} is not known", names.join("::"))) };
            if !matches!(&**name, "into" | "to_string" | "to_owned") {
                return Err(format!("{name} is not known"));
            }
            self.tokens = rest;
        }
        Ok(if text.is_empty() { Value::Empty } else { Value::Text(text) })
    }

    fn option(&mut self, inner: &Shape) -> Result<Value, String> {
        match self.next()? {
            Token::Path(names) if names.last().is_some_and(|name| name == "None") => Ok(Value::Empty),
            Token::Path(names) if names.last().is_some_and(|name| name == "Some") => {
                self.expect('(')?;
                let value = self.value(inner)?;
                self.expect(')')?;
                Ok(Value::Some(Box::new(value)))
            }
            other => Err(format!("{} is neither None nor Some(…)", other.shown())),
        }
    }

    fn array(&mut self, element: &Shape, count: u64) -> Result<Value, String> {
        self.expect('[')?;
        if count > MAX_SIZE {
            return Err("it has too many elements".into());
        }
        let mut values = Vec::new();
        while !self.takes(']') {
            values.push(self.value(element)?);
            if values.len() == 1 && self.takes(';') {
                let Token::Number(text) = self.next()? else { return Err("its length is no number".into()) };
                if whole(&text, "usize")? != u128::from(count) {
                    return Err(format!("it has {text} elements, not {count}"));
                }
                self.expect(']')?;
                let value = values.remove(0);
                if value == Value::Empty {
                    return Ok(Value::Empty);
                }
                return Ok(Value::Array(vec![value; count as usize]));
            }
            if !self.takes(',') {
                self.expect(']')?;
                break;
            }
        }
        if values.len() as u64 == count {
            Ok(Value::Array(values))
        } else {
            Err(format!("it has {} elements, not {count}", values.len()))
        }
    }

    fn variant(&mut self, name: &str) -> Result<Value, String> {
        let Some(Body::Enum { variants, .. }) = self.index.get(name).map(|described| &described.body) else {
            return Err("a struct can only be Default::default()".into());
        };
        let token = self.next()?;
        let Token::Path(names) = &token else { return Err(format!("{} is no variant", token.shown())) };
        let wanted = names.last().map_or("", |name| name);
        match variants.iter().find(|variant| variant.name == wanted) {
            Some(variant) if variant.fields.is_empty() => Ok(Value::Variant(wanted.to_owned())),
            Some(_) => Err(format!("{wanted} holds values")),
            None => Err(format!("{name} has no variant {wanted}")),
        }
    }
}

/// The magnitude of the least, and the most.
const fn range(integer: Integer) -> (u128, u128) {
    let bits = 8 * integer.width as u32;
    if integer.signed { (1 << (bits - 1), (1 << (bits - 1)) - 1) } else { (0, u128::MAX >> (128 - bits)) }
}

fn in_range(negative: bool, magnitude: u128, least: u128, most: u128) -> Result<Value, String> {
    let sign = if negative && magnitude > 0 { "-" } else { "" };
    if magnitude > if negative { least } else { most } {
        return Err(format!("{sign}{magnitude} is out of range"));
    }
    Ok(match i128::try_from(magnitude) {
        Ok(value) => Value::Integer(if negative { -value } else { value }),
        Err(_) if negative => Value::Integer(i128::MIN),
        Err(_) => Value::Unsigned(magnitude),
    })
}

fn known_integer(name: &str) -> Option<Integer> {
    let signed = name.starts_with('i');
    let width = match name.get(1..)? {
        "8" => 1,
        "16" => 2,
        "32" => 4,
        "64" | "size" => 8,
        "128" => 16,
        _ => return None,
    };
    (signed || name.starts_with('u')).then_some(Integer { width, signed, align: width })
}

/// An integer literal's magnitude; its suffix, if it has one, names the type.
fn whole(text: &str, kind: &str) -> Result<u128, String> {
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0o") => (&text[2..], 8),
        Some("0b") => (&text[2..], 2),
        _ => (text, 10),
    };
    let same =
        |suffix: &str| suffix == kind || (suffix == "usize" && kind == "u64") || (suffix == "isize" && kind == "i64");
    let end = digits.find(['i', 'u']).unwrap_or(digits.len());
    let (digits, suffix) = digits.split_at(end);
    if !suffix.is_empty() && !same(suffix) {
        return Err(format!("{text} is no {kind}"));
    }
    if digits.contains(['.', 'e', 'E']) && radix == 10 {
        return Err(format!("{text} is no integer"));
    }
    u128::from_str_radix(digits, radix).map_err(|_| format!("{text} is no {kind}"))
}

fn tokens(source: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, len) = token(rest, first)?;
        match (token, tokens.last_mut()) {
            // Names on both sides of `::` are one path.
            (Token::Path(names), Some(Token::Path(before))) if before.last().is_some_and(String::is_empty) => {
                before.pop();
                before.extend(names);
            }
            (Token::Sign(':'), Some(Token::Path(before))) => before.push(String::new()),
            (Token::Sign(':'), _) => {}
            (token, _) => tokens.push(token),
        }
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

/// The token at the start, and its length in bytes. `::` is the sign `:`.
fn token(rest: &str, first: char) -> Result<(Token, usize), String> {
    if let Some(prefix) = ["r\"", "r#", "br\"", "br#"].iter().find(|prefix| rest.starts_with(**prefix)) {
        return raw_text(rest, prefix.starts_with('b'));
    }
    if let Some(after) = rest.strip_prefix("b\"") {
        let (text, len) = quoted(after, '"')?;
        return Ok((Token::Bytes(text.into_bytes()), len + 2));
    }
    if let Some(after) = rest.strip_prefix("b'") {
        let (text, len) = quoted(after, '\'')?;
        let mut letters = text.chars();
        return match (letters.next().map(u8::try_from), letters.next()) {
            (Some(Ok(byte)), None) => Ok((Token::Byte(byte), len + 2)),
            _ => Err("a byte is one char".into()),
        };
    }
    match first {
        '"' => quoted(&rest[1..], '"').map(|(text, len)| (Token::Text(text), len + 1)),
        '\'' => {
            let (text, len) = quoted(&rest[1..], '\'')?;
            let mut letters = text.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => Ok((Token::Char(letter), len + 1)),
                _ => Err("a char is one letter".into()),
            }
        }
        ':' if rest.starts_with("::") => Ok((Token::Sign(':'), 2)),
        '0'..='9' => Ok(number(rest)),
        letter if letter.is_alphabetic() || letter == '_' => {
            let len = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            Ok((Token::Path(vec![rest[..len].to_owned()]), len))
        }
        '-' | '(' | ')' | '[' | ']' | ',' | ';' | '.' | '!' => Ok((Token::Sign(first), 1)),
        other => Err(format!("`{}` is no part of a literal", other.escape_default())),
    }
}

fn number(rest: &str) -> (Token, usize) {
    let is_hex = rest.starts_with("0x");
    let mut len = 0;
    let mut previous = ' ';
    for letter in rest.chars() {
        let continues = letter.is_ascii_alphanumeric()
            || letter == '_'
            || letter == '.'
            || (matches!(letter, '+' | '-') && matches!(previous, 'e' | 'E') && !is_hex);
        if !continues {
            break;
        }
        previous = letter;
        len += letter.len_utf8();
    }
    (Token::Number(rest[..len].replace('_', "")), len)
}

fn raw_text(rest: &str, is_bytes: bool) -> Result<(Token, usize), String> {
    let start = if is_bytes { 2 } else { 1 };
    let hashes = rest[start..].bytes().take_while(|&byte| byte == b'#').count();
    let body = start + hashes + 1;
    let open = rest.as_bytes().get(body - 1) == Some(&b'"');
    let end = format!("\"{}", "#".repeat(hashes));
    let len = rest.get(body..).filter(|_| open).and_then(|body| body.find(&end)).ok_or("a text is not closed")?;
    let text = rest[body..body + len].to_owned();
    let token = if is_bytes { Token::Bytes(text.into_bytes()) } else { Token::Text(text) };
    Ok((token, body + len + end.len()))
}

/// What stands before the closing quote, and its length with the quote.
fn quoted(rest: &str, close: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            letter if letter == close => return Ok((text, at + 1)),
            '\\' => {
                let (_, kind) = letters.next().ok_or("a text is not closed")?;
                match kind {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    '0' => text.push('\0'),
                    '\\' | '"' | '\'' => text.push(kind),
                    'x' => {
                        let digits: String = letters.by_ref().take(2).map(|(_, digit)| digit).collect();
                        text.push(escaped(&digits)?);
                    }
                    'u' => {
                        let digits = letters.by_ref().map(|(_, digit)| digit).take_while(|&digit| digit != '}');
                        let digits: String = digits.take(16).filter(|&digit| digit != '{' && digit != '_').collect();
                        text.push(escaped(&digits)?);
                    }
                    other => return Err(format!("`\\{}` is no escape", other.escape_default())),
                }
            }
            letter => text.push(letter),
        }
    }
    Err("a text is not closed".into())
}

fn escaped(digits: &str) -> Result<char, String> {
    let number = u32::from_str_radix(digits, 16).ok();
    number.and_then(char::from_u32).ok_or_else(|| format!("`\\{digits}` is no char"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{OptionTag, Schema, TypeAttributes, TypeDescriptor, Variant};

    fn read(source: &str, shape: &Shape) -> Result<Value, String> {
        let variant = |name: &str, tag| Variant { name: name.into(), tag, fields: vec![], was: vec![] };
        let kind = TypeDescriptor {
            name: "Kind".into(),
            size: 1,
            align: 1,
            body: Body::Enum {
                tag_offset: 0,
                tag: Integer { width: 1, signed: false, align: 1 },
                variants: vec![variant("Open", 0), variant("Closed", 1)],
            },
            attributes: TypeAttributes::default(),
        };
        let schema = Schema { types: vec![kind] };
        let index = TypeIndex::new(&schema);
        parse(source, shape, &index, &Facts::of(&index))
    }

    fn integer(width: u8, signed: bool) -> Shape {
        Shape::Integer(Integer { width, signed, align: width })
    }

    fn option(inner: Shape) -> Shape {
        Shape::Option {
            inner: Box::new(inner),
            size: 8,
            align: 4,
            tag: OptionTag::Tagged { width: 4, value_offset: 4 },
        }
    }

    fn array(element: Shape, count: u64) -> Shape {
        Shape::Array { element: Box::new(element), count }
    }

    #[test]
    fn literals_are_read_by_shape() {
        let float = Shape::Float(Float { width: 8, align: 8 });
        let cases = [
            ("7", integer(4, false), Value::Integer(7)),
            ("0xFF_u8", integer(1, false), Value::Integer(255)),
            ("- 128", integer(1, true), Value::Integer(-128)),
            ("b'a'", integer(1, false), Value::Integer(97)),
            ("u32 :: MAX", integer(4, false), Value::Integer(u32::MAX.into())),
            ("std::i64::MIN", integer(8, true), Value::Integer(i64::MIN.into())),
            ("u128::MAX", integer(16, false), Value::Unsigned(u128::MAX)),
            ("i128::MIN", integer(16, true), Value::Integer(i128::MIN)),
            ("-1.5", float.clone(), Value::Float(-1.5)),
            ("1e-3f64", float.clone(), Value::Float(0.001)),
            ("f64::INFINITY", float, Value::Float(f64::INFINITY)),
            ("true", Shape::Bool, Value::Bool(true)),
            (r"'\u{e9}'", Shape::Char, Value::Char('é')),
            ("'\\''", Shape::Char, Value::Char('\'')),
            (r#""a\"b""#, Shape::Text, Value::Text("a\"b".into())),
            ("r#\"a\"b\"#", Shape::Text, Value::Text("a\"b".into())),
            ("\"a\".into()", Shape::Text, Value::Text("a".into())),
            ("String::from(\"a\")", Shape::Text, Value::Text("a".into())),
            ("String::new()", Shape::Text, Value::Empty),
            ("None", option(Shape::Bool), Value::Empty),
            ("Some(3)", option(integer(4, false)), Value::Some(Box::new(Value::Integer(3)))),
            ("[0; 4]", array(integer(1, false), 4), Value::Array(vec![Value::Integer(0); 4])),
            ("[1, 2,]", array(integer(1, false), 2), Value::Array(vec![Value::Integer(1), Value::Integer(2)])),
            ("vec![]", Shape::List(Box::new(Shape::Text)), Value::Empty),
            ("Kind::Open", Shape::Inline("Kind".into()), Value::Variant("Open".into())),
            ("Closed", Shape::Inline("Kind".into()), Value::Variant("Closed".into())),
            ("Default::default()", Shape::Inline("Kind".into()), Value::Empty),
        ];
        for (source, shape, value) in cases {
            assert_eq!(read(source, &shape), Ok(value), "{source}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let cases = [
            ("256", integer(1, false), "256 is out of range"),
            ("-1", integer(4, false), "-1 is out of range"),
            ("-129", integer(1, true), "-129 is out of range"),
            ("7u8", integer(4, false), "7u8 is no u32"),
            ("1.5", integer(4, false), "1.5 is no integer"),
            ("MAX", integer(4, false), "MAX is no integer"),
            ("1 + 1", integer(4, false), "`+` is no part of a literal"),
            ("7 7", integer(4, false), "7 is too much"),
            ("", integer(4, false), "it ends too early"),
            ("\"a", Shape::Text, "a text is not closed"),
            ("'ab'", Shape::Char, "a char is one letter"),
            ("3", option(integer(4, false)), "3 is neither None nor Some(…)"),
            ("[0; 3]", array(integer(1, false), 4), "it has 3 elements, not 4"),
            ("[1]", array(integer(1, false), 2), "it has 1 elements, not 2"),
            ("Kind::Shut", Shape::Inline("Kind".into()), "Kind has no variant Shut"),
            ("[1]", Shape::List(Box::new(integer(1, false))), "lists and maps can only be empty"),
            ("0", Shape::Reference("Kind".into()), "no literal names a record"),
            ("Default::default()", Shape::Reference("Kind".into()), "it has no empty value"),
        ];
        for (source, shape, why) in cases {
            assert_eq!(read(source, &shape), Err(why.into()), "{source}");
        }
    }

    #[test]
    fn no_source_text_does_harm() {
        let shapes = [integer(16, true), Shape::Text, Shape::Char, array(option(integer(1, false)), 3)];
        let pieces =
            ["\"", "'", "\\", "r#", "b'", "é", "0x", "-", "::", "[", ";", "Some(", "u{", ".", "e+", "MAX", "1"];
        for one in pieces {
            for two in pieces {
                for three in pieces {
                    for shape in &shapes {
                        let _ = read(&format!("{one}{two}{three}"), shape);
                    }
                }
            }
        }
    }
}
