//! JSON as documents have it at rest: `storage doc` shows and takes what the files and tables hold.

use storage_core::bson::{Bson, RawDocument, RawDocumentBuf};
use storage_core::value::{Style, read_document, write_document};

use crate::failure::{Failure, Result};

/// A document a person typed.
pub(super) fn document(text: &[u8]) -> Result<RawDocumentBuf> {
    // For a medium this is damage; typed by a person it is a mistake.
    read_document(text).map_err(|error| {
        Failure::Usage(format!(
            "the document is not what it must be: {}",
            error.message()
        ))
    })
}

/// One value a person typed.
pub(super) fn value(text: &str) -> Result<Bson> {
    let problem = |why: &str| {
        Failure::Usage(format!(
            "{text:?} is not a JSON value ({why}); a string has double quotes, which a shell wants in single ones: \
             'city=\"Delft\"'"
        ))
    };
    let document = read_document(format!("{{\"value\":{text}}}").as_bytes())
        .map_err(|error| problem(error.message()))?;
    let mut fields = document.iter();
    match (fields.next(), fields.next()) {
        (Some(Ok((_, value))), None) => Bson::try_from(value).map_err(|error| problem(&error.to_string())),
        _ => Err(problem("it is more than one value")),
    }
}

pub(super) fn text(document: &RawDocument, style: Style) -> Result<String> {
    Ok(write_document(document, style)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_type_json_gives_them() {
        for (text, expected) in [
            ("1", Bson::Int64(1)),
            ("1.5", Bson::Double(1.5)),
            ("\"x\"", Bson::String("x".into())),
            ("null", Bson::Null),
            ("true", Bson::Boolean(true)),
        ] {
            assert_eq!(value(text).unwrap(), expected);
        }
        for rubbish in ["Delft", "", "1,\"b\":2", "1}"] {
            assert!(matches!(value(rubbish), Err(Failure::Usage(_))), "{rubbish}");
        }
    }
}
