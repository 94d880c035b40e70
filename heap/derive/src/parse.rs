//! The item as a model: what it declares, nothing judged yet.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Fields, Generics, Index, LitInt, Member, Result, Type};

use crate::setting::{Place, Settings};

/// A struct or enum with `#[derive(Record)]`.
pub(crate) struct Item {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) representations: Vec<Representation>,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
}

pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) discriminant: Option<Expr>,
    pub(crate) fields: Vec<Field>,
}

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) ty: Type,
    /// Of the name, or of the type where there is none.
    pub(crate) span: Span,
}

/// One word of `#[repr(...)]`.
pub(crate) struct Representation {
    pub(crate) word: Ident,
}

/// Takes an item apart.
pub(crate) fn item(input: DeriveInput) -> Result<Item> {
    let settings = Settings::parse(&input.attrs, Place::Type)?;
    let name = declared(&settings, &input.ident);
    let representations = representations(&input.attrs)?;
    let body = match input.data {
        Data::Struct(data) => Body::Struct(fields(data.fields)?),
        Data::Enum(data) => Body::Enum(data.variants.into_iter().map(variant).collect::<Result<_>>()?),
        Data::Union(data) => {
            let message = "nothing says which field of a union is meant: use an enum with an integer repr";
            return Err(Error::new(data.union_token.span, message));
        }
    };
    Ok(Item { ident: input.ident, generics: input.generics, name, settings, representations, body })
}

fn declared(settings: &Settings, ident: &Ident) -> String {
    settings.name.as_ref().map_or_else(|| ident.unraw().to_string(), syn::LitStr::value)
}

fn representations(attributes: &[Attribute]) -> Result<Vec<Representation>> {
    let mut representations = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<LitInt>()?;
            }
            representations.push(Representation { word: meta.path.require_ident()?.clone() });
            Ok(())
        })?;
    }
    Ok(representations)
}

fn variant(variant: syn::Variant) -> Result<Variant> {
    let settings = Settings::parse(&variant.attrs, Place::Variant)?;
    Ok(Variant {
        name: declared(&settings, &variant.ident),
        settings,
        discriminant: variant.discriminant.map(|(_, value)| value),
        fields: fields(variant.fields)?,
        ident: variant.ident,
    })
}

fn fields(fields: Fields) -> Result<Vec<Field>> {
    fields.into_iter().enumerate().map(|(position, field)| self::field(position, field)).collect()
}

fn field(position: usize, field: syn::Field) -> Result<Field> {
    let settings = Settings::parse(&field.attrs, Place::Field)?;
    Ok(match field.ident {
        Some(ident) => Field {
            name: declared(&settings, &ident),
            span: ident.span(),
            settings,
            ty: field.ty,
            member: Member::Named(ident),
        },
        None => Field {
            name: settings.name.as_ref().map_or_else(|| position.to_string(), syn::LitStr::value),
            span: field.ty.span(),
            settings,
            ty: field.ty,
            // The position has the call's span, so that the lints on the expansion stay with the derive.
            member: Member::Unnamed(Index::from(position)),
        },
    })
}
