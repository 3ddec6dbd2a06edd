//! Names in listings, dressed as hex digits so that the vendor's parser takes every one of them as it is.
//!
//! A bucket may hold names nobody here would make: `a//b`, `folder/`, control characters. The parser refuses the whole page for one
//! of them, or drops a slash. As hex digits they all come through, and what they stand for is decided here. Google's listings also
//! have each object's generation, which the parser leaves out: it rides along.

use std::fmt::Write as _;

/// Between a name and its generation; no hex digit.
const WITH_GENERATION: char = '-';

/// One name as a listing had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) generation: Option<String>,
}

/// Reads a name back.
pub(crate) fn listed(dressed: &str) -> Option<Listed> {
    let (digits, generation) = match dressed.split_once(WITH_GENERATION) {
        Some((digits, generation)) => (digits, Some(generation.to_owned())),
        None => (dressed, None),
    };
    if digits.len() % 2 != 0 || !digits.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok())
        .collect();
    Some(Listed {
        name: String::from_utf8(bytes?).ok()?,
        generation,
    })
}

/// Dresses every name in the text of a listing.
pub(super) fn armour(listing: &str) -> String {
    let mut dressed = String::with_capacity(listing.len() * 2);
    let mut rest = listing;
    while let Some((before, block)) = rest.split_once("<Contents>") {
        dress(before, None, &mut dressed);
        dressed.push_str("<Contents>");
        let end = block.find("</Contents>").unwrap_or(block.len());
        let (contents, after) = block.split_at(end);
        dress(contents, element(contents, "Generation").as_deref(), &mut dressed);
        rest = after;
    }
    dress(rest, None, &mut dressed);
    dressed
}

/// Copies text, its names dressed: `Key` and `Prefix` in S3 and Google, `Name` in Azure.
fn dress(text: &str, generation: Option<&str>, dressed: &mut String) {
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (before, tag_on) = rest.split_at(open);
        dressed.push_str(before);
        let Some(close) = tag_on.find('>') else {
            rest = tag_on;
            break;
        };
        let (tag, after) = tag_on.split_at(close + 1);
        let inside = &tag[1..tag.len() - 1];
        let encoded = inside == "Name Encoded=\"true\"";
        let is_name = encoded || matches!(inside, "Key" | "Prefix" | "Name");
        dressed.push_str(if encoded { "<Name>" } else { tag });
        rest = after;
        if is_name && let Some(end) = rest.find('<') {
            let mut name = plain(&rest[..end]).into_bytes();
            if encoded {
                name = percent_decode(&name);
            }
            for byte in name {
                // Writing to a string cannot fail.
                let _ = write!(dressed, "{byte:02x}");
            }
            if let Some(generation) = generation.filter(|_| inside == "Key") {
                dressed.push(WITH_GENERATION);
                dressed.push_str(generation);
            }
            rest = &rest[end..];
        }
    }
    dressed.push_str(rest);
}

/// The text of the first element of this name.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = after.split_once('<')?;
    Some(plain(inside))
}

/// Text without XML's references.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference_on)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((reference, after)) = reference_on.split_once(';') else {
            plain.push('&');
            rest = reference_on;
            continue;
        };
        if let Some(character) = character(reference) {
            plain.push(character);
        } else {
            plain.push('&');
            plain.push_str(reference);
            plain.push(';');
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = reference.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = text
            .get(at + 1..at + 3)
            .filter(|_| text[at] == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(hex.unwrap_or(text[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listing: &str, tag: &str) -> Vec<Listed> {
        armour(listing)
            .split(&format!("<{tag}>"))
            .skip(1)
            .filter_map(|text| listed(text.split('<').next()?))
            .collect()
    }

    #[test]
    fn names_nobody_here_would_make_come_through() {
        for (written, name) in [
            ("a//b", "a//b"),
            ("folder/", "folder/"),
            ("..", ".."),
            ("a&amp;b&lt;c&gt;", "a&b<c>"),
            ("a&#x1;b&#10;", "a\u{1}b\n"),
            ("&nonsense;&", "&nonsense;&"),
            ("é", "é"),
        ] {
            let listing = format!("<Contents><Key>{written}</Key><Size>1</Size></Contents>");
            let expected = Listed {
                name: name.to_owned(),
                generation: None,
            };
            assert_eq!(names(&listing, "Key"), [expected], "{written}");
        }
    }

    #[test]
    fn a_generation_stays_with_its_name() {
        let listing = "<Contents><Key>a</Key><Generation>7</Generation></Contents>\
                       <Contents><Generation>8</Generation><Key>b</Key></Contents><CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>";
        let generations: Vec<_> = names(listing, "Key")
            .into_iter()
            .map(|listed| listed.generation)
            .collect();
        assert_eq!(generations, [Some("7".to_owned()), Some("8".to_owned())]);
        assert_eq!(names(listing, "Prefix")[0].name, "c/");
    }

    #[test]
    fn azure_says_when_a_name_is_percent_encoded() {
        let listing =
            "<Blob><Name Encoded=\"true\">a%EF%BF%BF%25</Name></Blob><Blob><Name>a%25</Name></Blob>";
        let names: Vec<_> = names(listing, "Name")
            .into_iter()
            .map(|listed| listed.name)
            .collect();
        assert_eq!(names, ["a\u{FFFF}%", "a%25"]);
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        let listing = "<?xml version=\"1.0\"?><ListBucketResult><NextContinuationToken>t&amp;</NextContinuationToken><Prefix/></ListBucketResult>";
        assert_eq!(armour(listing), listing);
        assert_eq!(armour("<Key>unfinished"), "<Key>unfinished");
        assert_eq!(armour("no markup"), "no markup");
    }
}
