//! The settings in `#[record(...)]`.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, LitStr, Path, Result, Token, parenthesized, token};

use crate::source;

/// What a `#[record(...)]` stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Type,
    Field,
    Variant,
}

/// How a secret is made harmless: the names of `migrate::SecretMode`.
#[derive(Clone, Copy)]
pub(crate) enum Secret {
    Default,
    Zero,
    Token,
    Drop,
}

/// All settings of one place; those that the place does not take are at rest.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) name: Option<LitStr>,
    pub(crate) was: Vec<LitStr>,
    pub(crate) from: Option<LitStr>,
    /// Source text.
    pub(crate) default: Option<String>,
    pub(crate) secret: Option<Secret>,
    pub(crate) dropped: Vec<LitStr>,
    pub(crate) hooks: Vec<Path>,
    pub(crate) downs: Vec<Path>,
}

enum Value {
    Name(LitStr),
    Was(LitStr),
    From(LitStr),
    Default(String),
    Secret(Secret),
    Dropped(Vec<LitStr>),
    Hook(Path),
    Down(Path),
}

struct Setting {
    key: Ident,
    value: Value,
}

/// Every key and the places that take it.
const KEYS: [(&str, &[Place]); 8] = [
    ("name", &[Place::Type, Place::Field, Place::Variant]),
    ("was", &[Place::Type, Place::Field, Place::Variant]),
    ("default", &[Place::Field]),
    ("from", &[Place::Field]),
    ("secret", &[Place::Type, Place::Field]),
    ("dropped", &[Place::Type]),
    ("hook", &[Place::Type]),
    ("down", &[Place::Type]),
];

impl Place {
    const fn noun(self) -> &'static str {
        match self {
            Self::Type => "a type",
            Self::Field => "a field",
            Self::Variant => "a variant",
        }
    }
}

impl Settings {
    /// Reads every `#[record(...)]` among the attributes of a place.
    pub(crate) fn parse(attributes: &[Attribute], place: Place) -> Result<Self> {
        let mut settings = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("record")) {
            let parsed = attribute.parse_args_with(Punctuated::<Setting, Token![,]>::parse_terminated)?;
            for setting in parsed {
                settings.take(setting, place)?;
            }
        }
        Ok(settings)
    }

    fn take(&mut self, Setting { key, value }: Setting, place: Place) -> Result<()> {
        let places = KEYS.iter().find(|(known, _)| key == known).map_or(&[][..], |&(_, places)| places);
        if !places.contains(&place) {
            let homes: Vec<_> = places.iter().map(|home| home.noun()).collect();
            let message = format!("`{key}` belongs on {}, not on {}", homes.join(" or "), place.noun());
            return Err(Error::new(key.span(), message));
        }
        let repeated = match value {
            Value::Name(name) => self.name.replace(name).is_some(),
            Value::From(from) => self.from.replace(from).is_some(),
            Value::Default(default) => self.default.replace(default).is_some(),
            Value::Secret(secret) => self.secret.replace(secret).is_some(),
            Value::Was(was) => {
                self.was.push(was);
                false
            }
            Value::Dropped(names) => {
                self.dropped.extend(names);
                false
            }
            Value::Hook(path) => {
                self.hooks.push(path);
                false
            }
            Value::Down(path) => {
                self.downs.push(path);
                false
            }
        };
        if repeated { Err(Error::new(key.span(), format!("`{key}` is said twice"))) } else { Ok(()) }
    }
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = input.call(Ident::parse_any)?;
        let value = match key.to_string().as_str() {
            "name" => Value::Name(assigned(input)?),
            "was" => Value::Was(assigned(input)?),
            "from" => Value::From(assigned(input)?),
            "default" => {
                input.parse::<Token![=]>()?;
                Value::Default(source::text(input.parse::<Expr>()?.into_token_stream()))
            }
            "secret" => Value::Secret(secret(input)?),
            "dropped" => Value::Dropped(dropped(input)?),
            "hook" => {
                input.parse::<Token![=]>()?;
                Value::Hook(input.parse()?)
            }
            "down" => {
                input.parse::<Token![=]>()?;
                Value::Down(input.parse()?)
            }
            unknown => {
                let known: Vec<_> = KEYS.iter().map(|(key, _)| format!("`{key}`")).collect();
                let message = format!("unknown attribute `{unknown}`; there are {}", known.join(", "));
                return Err(Error::new(key.span(), message));
            }
        };
        Ok(Self { key, value })
    }
}

fn assigned(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn secret(input: ParseStream<'_>) -> Result<Secret> {
    if !input.peek(token::Paren) {
        return Ok(Secret::Default);
    }
    let content;
    parenthesized!(content in input);
    let mode = content.call(Ident::parse_any)?;
    let secret = match mode.to_string().as_str() {
        "zero" => Secret::Zero,
        "token" => Secret::Token,
        "drop" => Secret::Drop,
        _ => return Err(Error::new(mode.span(), "a secret is made harmless by `zero`, `token` or `drop`")),
    };
    if content.is_empty() { Ok(secret) } else { Err(content.error("a secret is made harmless in one way")) }
}

fn dropped(input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    let content;
    parenthesized!(content in input);
    let names = content.call(Punctuated::<LitStr, Token![,]>::parse_terminated)?;
    Ok(names.into_iter().collect())
}
