//! The implementations.
//!
//! Tokens have the span of the call, `unsafe` above all: so the code counts as the derive's and not as the user's, and
//! `#![forbid(unsafe_code)]` holds for the user's own. Only field types carry the user's span, so that a missing bound
//! is reported at the field.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericParam, Generics, LitStr, Type, WherePredicate, parse_quote};

use crate::check;
use crate::parse::{Body, Field, Item, Variant};
use crate::setting::{Secret, Settings};

/// The implementations for an item that passed the checks.
pub(crate) fn item(item: &Item) -> TokenStream {
    let generics = bounded(&item.generics);
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let ident = &item.ident;
    let this = quote!(#ident #arguments);
    let parts = match &item.body {
        Body::Struct(fields) => structure(item, &this, fields),
        Body::Enum(variants) => enumeration(item, &generics, &this, variants),
    };
    let Parts { items, describe, patterns, types } = parts;
    let owners = types.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as ::heap::Field>::OWNER));
    let name = name(item);
    // With parameters the assertion, which `OWNER` makes too, waits for a use of the type; the trait does not.
    let plain = if generics.params.is_empty() {
        quote!(const _: () = ::heap::derive::assert_plain::<#ident>();)
    } else {
        quote!(impl #parameters ::heap::derive::RecordsDoNotImplementDrop for #this #bounds {})
    };

    quote! {
        const _: () = {
            #items

            #[automatically_derived]
            unsafe impl #parameters ::heap::Field for #this #bounds {
                const OWNER: bool = ::heap::derive::any_owner::<Self>(&[#(#owners),*]);

                fn describe(describer: &mut ::heap::Describer) -> ::heap::derive::migrate::Shape {
                    #describe
                }
            }

            #[automatically_derived]
            unsafe impl #parameters ::heap::Record for #this #bounds {
                fn name() -> ::std::string::String {
                    #name
                }
            }

            #plain

            // The fields are all there are, have the types described, and can be borrowed, so nothing packs them.
            fn _complete #parameters (value: &#this) #bounds {
                match value {
                    #(#patterns)*
                }
            }
        };
    }
}

struct Parts {
    /// What the implementations rest on.
    items: TokenStream,
    /// Body of `describe`.
    describe: TokenStream,
    /// Arms that match every value.
    patterns: Vec<TokenStream>,
    /// Every field's type.
    types: Vec<Type>,
}

/// Type parameters are fields of the type in one way or another. The bound joins those that a parameter has, because a
/// bound in two places is something that linters complain about to the user.
fn bounded(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let mut predicates = Vec::<WherePredicate>::new();
    for parameter in generics.type_params_mut() {
        if parameter.bounds.is_empty() {
            let ident = &parameter.ident;
            predicates.push(parse_quote!(#ident: ::heap::Field));
        } else {
            parameter.bounds.push(parse_quote!(::heap::Field));
        }
    }
    if !predicates.is_empty() {
        generics.make_where_clause().predicates.extend(predicates);
    }
    generics
}

fn name(item: &Item) -> TokenStream {
    let name = &item.name;
    let arguments = item.generics.params.iter().map(|parameter| match parameter {
        GenericParam::Type(parameter) => {
            let ident = &parameter.ident;
            quote!(::heap::derive::type_argument::<#ident>())
        }
        GenericParam::Const(parameter) => {
            let ident = &parameter.ident;
            quote!(::std::string::ToString::to_string(&#ident))
        }
        GenericParam::Lifetime(_) => unreachable!("refused by the checks"),
    });
    quote!(::heap::derive::name_with(#name, &[#(#arguments),*]))
}

fn structure(item: &Item, this: &TokenStream, fields: &[Field]) -> Parts {
    let described = fields.iter().map(|field| {
        let member = &field.member;
        describe_field(field, &quote!(::core::mem::offset_of!(Self, #member)))
    });
    let attributes = type_attributes(&item.settings);
    let (hooks, downs) = (&item.settings.hooks, &item.settings.downs);
    let ident = &item.ident;
    let pattern = pattern(&quote!(#ident), this, fields);
    Parts {
        items: TokenStream::new(),
        describe: quote! {
            ::heap::derive::describe_struct::<Self>(describer, #attributes, |describer| {
                #(::heap::derive::hook::<Self, _>(describer, #hooks);)*
                #(::heap::derive::down::<Self, _>(describer, #downs);)*
                ::std::vec![#(#described),*]
            })
        },
        patterns: vec![pattern],
        types: fields.iter().map(|field| field.ty.clone()).collect(),
    }
}

/// An enum with an integer `repr` lies as a union of `repr(C)` structs, each the tag and the variant's fields (RFC
/// 2195). The offsets are those of structs declared that way.
fn enumeration(item: &Item, generics: &Generics, this: &TokenStream, variants: &[Variant]) -> Parts {
    let tag = check::tag(item).expect("checked before");
    let tag = Ident::new(&tag.to_string(), proc_macro2::Span::call_site());
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let type_parameters: Vec<_> = generics.type_params().map(|parameter| &parameter.ident).collect();
    // A variant may not mention every parameter, but a struct must; the marker is last and has no bytes.
    let marker = quote!(::core::marker::PhantomData<fn() -> (#(#type_parameters,)*)>);

    let mut items = TokenStream::new();
    let mut described = Vec::new();
    let mut mirrors = Vec::new();
    let mut patterns = Vec::new();
    let mut previous: Option<Ident> = None;
    for (number, variant) in variants.iter().enumerate() {
        let mirror = format_ident!("_Variant{number}");
        let types = variant.fields.iter().map(|field| without_self(field.ty.to_token_stream(), this));
        items.extend(quote! {
            #[repr(C)]
            struct #mirror #parameters (#tag, #(#types,)* #marker) #bounds;
        });
        let constant = format_ident!("_TAG_{number}");
        let value = match (&variant.discriminant, &previous) {
            (Some(value), _) => without_self(value.to_token_stream(), this),
            (None, Some(previous)) => quote!(#previous + 1),
            (None, None) => quote!(0),
        };
        items.extend(quote!(const #constant: #tag = #value;));

        let fields = variant.fields.iter().enumerate().map(|(position, field)| {
            let member = syn::Index::from(position + 1);
            describe_field(field, &quote!(::core::mem::offset_of!(#mirror #arguments, #member)))
        });
        let (name, was) = (&variant.name, &variant.settings.was);
        described.push(quote! {
            ::heap::derive::variant(
                #name,
                ::heap::derive::Tag::bits(#constant),
                &[#(#was),*],
                ::std::vec![#(#fields),*],
            )
        });
        mirrors.push(
            quote!((::core::mem::size_of::<#mirror #arguments>(), ::core::mem::align_of::<#mirror #arguments>())),
        );
        let (ident, case) = (&item.ident, &variant.ident);
        patterns.push(pattern(&quote!(#ident::#case), this, &variant.fields));
        previous = Some(constant);
    }
    let attributes = type_attributes(&item.settings);
    let (hooks, downs) = (&item.settings.hooks, &item.settings.downs);
    let describe = quote! {
        const { ::heap::derive::assert_union::<Self>(&[#(#mirrors),*]) };
        ::heap::derive::describe_enum::<Self, #tag>(describer, #attributes, |describer| {
            #(::heap::derive::hook::<Self, _>(describer, #hooks);)*
            #(::heap::derive::down::<Self, _>(describer, #downs);)*
            ::std::vec![#(#described),*]
        })
    };
    let types = variants.iter().flat_map(|variant| &variant.fields).map(|field| field.ty.clone()).collect();
    Parts { items, describe, patterns, types }
}

fn describe_field(field: &Field, offset: &TokenStream) -> TokenStream {
    let (ty, name, attributes) = (&field.ty, &field.name, field_attributes(&field.settings));
    // The same words as for `OWNER`, so that the compiler finds the two complaints equal and reports one.
    // The argument is the expansion's own: with the type's span it would be another name where a macro wrote the type.
    let describer = quote!(describer);
    let shape = quote_spanned!(ty.span()=> <#ty as ::heap::Field>::describe(#describer));
    quote!(::heap::derive::field(#name, #offset, #shape, #attributes))
}

fn pattern(path: &TokenStream, this: &TokenStream, fields: &[Field]) -> TokenStream {
    let members = fields.iter().map(|field| &field.member);
    let bindings: Vec<_> = (0..fields.len()).map(|position| format_ident!("field{position}")).collect();
    let types = fields.iter().map(|field| without_self(field.ty.to_token_stream(), this));
    quote!(#path { #(#members: #bindings),* } => { #(let _: &#types = #bindings;)* })
}

fn field_attributes(settings: &Settings) -> TokenStream {
    let was = &settings.was;
    let from = optional(settings.from.as_ref().map(LitStr::value));
    let default = optional(settings.default.clone());
    let secret = secret(settings.secret);
    quote!(::heap::derive::field_attributes(&[#(#was),*], #from, #default, #secret))
}

fn type_attributes(settings: &Settings) -> TokenStream {
    let (was, dropped, secret) = (&settings.was, &settings.dropped, secret(settings.secret));
    quote!(::heap::derive::type_attributes(&[#(#was),*], &[#(#dropped),*], #secret))
}

fn optional(value: Option<String>) -> TokenStream {
    value.map_or_else(|| quote!(::core::option::Option::None), |value| quote!(::core::option::Option::Some(#value)))
}

fn secret(secret: Option<Secret>) -> TokenStream {
    let mode = match secret {
        None => return quote!(::core::option::Option::None),
        Some(Secret::Default) => quote!(Default),
        Some(Secret::Zero) => quote!(Zero),
        Some(Secret::Token) => quote!(Token),
        Some(Secret::Drop) => quote!(Drop),
    };
    quote!(::core::option::Option::Some(::heap::derive::migrate::SecretMode::#mode))
}

/// Outside the type's own implementations `Self` means something else, or nothing.
fn without_self(tokens: TokenStream, this: &TokenStream) -> TokenStream {
    let mut outside = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let in_path = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                outside.extend(if in_path { quote!(<#this>) } else { this.clone() });
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_self(group.stream(), this));
                inner.set_span(group.span());
                outside.extend([TokenTree::Group(inner)]);
            }
            token => outside.extend([token]),
        }
    }
    outside
}
