//! Listings, version 2.

use std::ops::Bound;

use super::answer::{self, Answer, Refusal, text};
use super::objects::{Bucket, Object, Objects};
use super::request::Read;

/// The most entries of a page, at both vendors.
const MAX_KEYS: usize = 1000;

/// One page: objects and common prefixes, each in the order of bytes.
#[derive(Debug, Default)]
struct Page<'a> {
    objects: Vec<(&'a str, &'a Object)>,
    prefixes: Vec<&'a str>,
    /// The last entry, where more follow.
    next: Option<&'a str>,
}

/// What is asked for.
#[derive(Debug)]
struct Wanted<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// Keys after this one.
    after: &'a str,
    /// The last entry of the page before: if it was a common prefix, what is under it is done.
    resume: Option<&'a str>,
    max_keys: usize,
}

/// Answers `GET /bucket?list-type=2`.
pub(super) fn list(objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    if request.parameter("list-type") != Some("2") || request.parameter("encoding-type").is_some() {
        return Err(Refusal::NOT_IMPLEMENTED);
    }
    let max_keys = match request.parameter("max-keys") {
        None => MAX_KEYS,
        Some(number) => number
            .parse::<usize>()
            .map_err(|_| Refusal::INVALID_ARGUMENT)?
            .min(MAX_KEYS),
    };
    let resume = match request.parameter("continuation-token") {
        None => None,
        Some(token) => Some(token.strip_prefix(TOKEN).ok_or(Refusal::INVALID_ARGUMENT)?),
    };
    let wanted = Wanted {
        prefix: request.parameter("prefix").unwrap_or_default(),
        delimiter: request
            .parameter("delimiter")
            .filter(|delimiter| !delimiter.is_empty()),
        after: request.parameter("start-after").unwrap_or_default(),
        resume,
        max_keys,
    };
    let body = objects.with(&request.bucket, |bucket| {
        page(bucket, &wanted).xml(&request.bucket, &wanted)
    })?;
    Ok(answer::xml(&body))
}

/// What a continuation token begins with, so that a key cannot be passed for one.
const TOKEN: &str = "after:";

fn page<'a>(bucket: &'a Bucket, wanted: &Wanted<'_>) -> Page<'a> {
    let mut page = Page::default();
    let mut last: Option<&str> = None;
    let from = wanted
        .after
        .max(wanted.resume.unwrap_or_default())
        .max(wanted.prefix);
    let from = (Bound::Included(from), Bound::Unbounded);
    for (key, object) in bucket.objects.range::<str, _>(from) {
        let Some(rest) = key.strip_prefix(wanted.prefix) else {
            break;
        };
        // A page may begin with the prefix itself, but never with the key it comes after.
        let done = |entry: &str| wanted.resume.is_some_and(|resume| entry <= resume);
        if key.as_str() <= wanted.after && !wanted.after.is_empty() {
            continue;
        }
        let common = wanted
            .delimiter
            .and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()))
            .map(|end| &key[..wanted.prefix.len() + end]);
        let entry = common.unwrap_or(key);
        if done(entry) || last == Some(entry) {
            continue;
        }
        if page.objects.len() + page.prefixes.len() == wanted.max_keys {
            page.next = last;
            break;
        }
        match common {
            Some(prefix) => page.prefixes.push(prefix),
            None => page.objects.push((key, object)),
        }
        last = Some(entry);
    }
    page
}

impl Page<'_> {
    fn xml(&self, bucket: &str, wanted: &Wanted<'_>) -> String {
        let contents: String = self
            .objects
            .iter()
            .map(|(key, object)| contents(key, object))
            .collect();
        let prefixes: String = self
            .prefixes
            .iter()
            .map(|prefix| {
                format!(
                    "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>",
                    text(prefix)
                )
            })
            .collect();
        let next = self.next.map_or_else(String::new, |last| {
            format!(
                "<NextContinuationToken>{TOKEN}{}</NextContinuationToken>",
                text(last)
            )
        });
        format!(
            "<ListBucketResult><Name>{}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{}</MaxKeys>\
             <IsTruncated>{}</IsTruncated>{contents}{prefixes}{next}</ListBucketResult>",
            text(bucket),
            text(wanted.prefix),
            self.objects.len() + self.prefixes.len(),
            wanted.max_keys,
            self.next.is_some(),
        )
    }
}

fn contents(key: &str, object: &Object) -> String {
    format!(
        "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size>\
         <StorageClass>STANDARD</StorageClass></Contents>",
        text(key),
        object.modified.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
        text(&object.etag),
        object.bytes.len(),
    )
}
